// Pages are named in the address behind `#/`, so that each can be linked to and the browser's own keys work.

export const PAGES = ['overview', 'engine', 'decisions', 'orders', 'capital', 'risk', 'system', 'backtests', 'audit'] as const
export type Page = (typeof PAGES)[number]
export const ENGINES = ['core-hodl', 'trend-1', 'trend-2', 'funding', 'tactical'] as const

/** Only these can be made flat (R3). */
export const holdsDerivatives = (engine: string): boolean => ['trend-1', 'trend-2', 'funding'].includes(engine)

interface Place { page: Page; name: string; query: Record<string, string> }

export function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const [page = '', name = ''] = path.split('/')
  const known = (PAGES as readonly string[]).includes(page) ? (page as Page) : 'overview'
  const engine = known === 'engine' && !(ENGINES as readonly string[]).includes(name) ? ENGINES[0] : name
  return { page: known, name: engine, query: Object.fromEntries(new URLSearchParams(query)) }
}

class Route {
  place = $state<Place>(placeOf(location.hash))
  constructor() { addEventListener('hashchange', () => { this.place = placeOf(location.hash) }) }
}
export const route = new Route()

export function addressOf(page: Page, name = '', query: Record<string, string | undefined> = {}): string {
  const chosen = Object.entries(query).filter((one): one is [string, string] => Boolean(one[1]))
  const text = new URLSearchParams(chosen).toString()
  return `#/${page}${name ? `/${name}` : ''}${text ? `?${text}` : ''}`
}
export function go(page: Page, name = '', query: Record<string, string | undefined> = {}): void { location.hash = addressOf(page, name, query) }
