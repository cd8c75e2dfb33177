// A reading that a page shows: loading, the last good answer with its age, or why there is none.

import { Refused, Unreachable } from './api'

export class Reading<T> {
  value = $state.raw<T | null>(null)
  error = $state('')
  readAt = $state(0)
  isBusy = $state(false)
  private again = false

  constructor(private readonly read: () => Promise<T>) {}

  get isFirst(): boolean { return this.value === null && !this.error }

  async load(): Promise<void> {
    if (this.isBusy) { this.again = true; return }
    this.isBusy = true
    try {
      do {
        this.again = false
        try {
          this.value = await this.read()
          this.readAt = Date.now()
          this.error = ''
        } catch (error) {
          if (error instanceof Refused || error instanceof Unreachable) this.error = error.message
          else throw error
        }
      } while (this.again)
    } finally {
      this.isBusy = false
    }
  }
}

/** At most one call in `ms`, the last one always. */
export function calmly(action: () => void, ms = 800): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null
  let last = 0
  return () => {
    if (timer) return
    timer = setTimeout(() => { timer = null; last = Date.now(); action() }, Math.max(0, last + ms - Date.now()))
  }
}
