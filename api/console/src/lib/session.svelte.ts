import { giveCode, logIn, logOut, standing, whenLoggedOut, type Standing } from './api'
import { live } from './live.svelte'

class Session {
  standing = $state<Standing | null>(null)
  isKnown = $state(false)
  problem = $state('')

  get canControl(): boolean { return this.standing !== null && this.standing.scope !== 'read' }

  async begin(): Promise<void> {
    whenLoggedOut(() => this.leave())
    const link = new URLSearchParams(location.hash.startsWith('#link=') ? location.hash.slice(1) : '').get('link')
    try {
      if (link) {
        history.replaceState(null, '', location.pathname)
        this.standing = await logIn({ link })
      } else {
        this.standing = await standing()
      }
      live.start()
    } catch (error) {
      if (link && error instanceof Error) this.problem = error.message
    }
    this.isKnown = true
  }

  async enter(token: string, code: string): Promise<void> {
    this.standing = await logIn(code ? { token, code } : { token })
    this.problem = ''
    live.start()
  }
  async confirm(code: string): Promise<void> { this.standing = await giveCode(code) }
  async end(): Promise<void> { await logOut(); this.leave() }
  private leave(): void { this.standing = null; live.stop() }
}

export const session = new Session()
