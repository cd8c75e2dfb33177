// Which command the dialog is about, and the commands that are on their way: they are sent until they are taken, whatever
// becomes of the window.

import { command, Refused, Unreachable } from './api'

const AGAIN_MS = 2000

/** One command. The same id each time: however often it is sent, it is carried out once. */
export class Delivery {
  readonly commandId = crypto.randomUUID().replaceAll('-', '')
  readonly givenAt = Date.now()
  takenAt = $state(0)
  answer = $state('')
  problem = $state('')
  isRefused = $state(false)

  constructor(readonly action: string, readonly scope: string, private readonly reason: string) {}

  get isPending(): boolean { return !this.takenAt && !this.isRefused }

  async send(): Promise<void> {
    try {
      this.answer = (await command({ action: this.action, scope: this.scope, reason: this.reason, command_id: this.commandId })).text
      this.takenAt = Date.now()
      this.problem = ''
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error)
      // Gone, busy, or slowed down: the command is still wanted. Everything else is the interface's last word.
      const isWorthAgain = error instanceof Unreachable || (error instanceof Refused && [408, 429, 500, 502, 503, 504].includes(error.status))
      if (isWorthAgain) setTimeout(() => this.send(), AGAIN_MS)
      else this.isRefused = true
    }
  }
}

class Control {
  action = $state('')
  scope = $state('GLOBAL')
  deliveries = $state<Delivery[]>([])

  get pending(): Delivery[] { return this.deliveries.filter((one) => one.isPending) }

  open(action: string, scope: string): void { this.action = action; this.scope = scope }
  close(): void { this.action = '' }
  give(action: string, scope: string, reason: string): Delivery {
    this.deliveries = [...this.deliveries.filter((one) => one.isPending), new Delivery(action, scope, reason)]
    const given = this.deliveries.at(-1)!
    given.send()
    return given
  }
}
export const control = new Control()

// A window that is left while a command is on its way would take the command with it.
addEventListener('beforeunload', (event) => { if (control.pending.length) event.preventDefault() })
