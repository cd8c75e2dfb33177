// What this browser remembers: theme, language, zone. No secret is ever kept here.

export type Language = 'en' | 'ru'

function kept(name: string, otherwise: string): string {
  try { return localStorage.getItem(name) ?? otherwise } catch { return otherwise }
}
function keep(name: string, value: string): void {
  try { localStorage.setItem(name, value) } catch { /* a browser that keeps nothing shows the defaults next time */ }
}

class Settings {
  theme = $state<'dark' | 'light'>(kept('theme', matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark') as 'dark' | 'light')
  language = $state<Language>(kept('language', navigator.language.startsWith('ru') ? 'ru' : 'en') as Language)
  isLocal = $state(kept('zone', 'utc') === 'local')

  apply(): void {
    document.documentElement.dataset.theme = this.theme
    document.documentElement.lang = this.language
  }
  turnTheme(): void { this.theme = this.theme === 'dark' ? 'light' : 'dark'; keep('theme', this.theme); this.apply() }
  setLanguage(language: Language): void { this.language = language; keep('language', language); this.apply() }
  turnZone(): void { this.isLocal = !this.isLocal; keep('zone', this.isLocal ? 'local' : 'utc') }
}

export const settings = new Settings()
