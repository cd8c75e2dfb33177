// What happens, as it happens: one stream of events for the whole page. Everything on a page that is newer than its own
// reading comes from here; a page reads its lists again when an event says that they are different.

import { get, type Row } from './api'
import { isUnheard } from './unheard'

const KINDS = ['decision', 'order', 'fill', 'equity', 'alert'] as const
export type Kind = (typeof KINDS)[number]
type Listener = (data: Row) => void

const OVERVIEW_KEPT_MS = 3_000

class Live {
  state = $state<Row | null>(null)
  /** When something was last heard: the server sends at least a sign of life every ten seconds. */
  heardAt = $state(0)
  now = $state(Date.now())
  isOpen = $state(false)
  awayText = $state('')
  failures = $state(0)
  private lacksFigures = $state(false)
  private knownAt = 0
  private awayAt = 0
  /** Whether the connection that is open has said `away`: only its own `back` ends that. */
  private saidAway = false

  private source: EventSource | null = null
  private startedAt = 0
  /** Since when the stream is broken; 0 while it is open. */
  private brokenAt = $state(0)
  private listeners = new Map<Kind, Set<Listener>>()
  private missing = new Set<() => void>()
  private timer: ReturnType<typeof setInterval> | null = null
  private seen = new Set<string>()

  get ageS(): number | null { const at = this.lacksFigures || this.awayText ? this.knownAt : this.heardAt; return at ? Math.max(0, (this.now - at) / 1000) : null }
  /** Nothing was heard for too long, or never since the start; soon after the stream broke. */
  get isSilent(): boolean { return isUnheard(this.now, this.heardAt, this.startedAt, this.brokenAt) }
  /** What is shown is the last that was known. */
  get isStale(): boolean { return this.isSilent || this.lacksFigures || this.awayText !== '' }
  get isDisconnected(): boolean { return this.isSilent && (this.failures > 0 || this.state === null) }

  start(): void {
    if (this.source) return
    this.timer ??= setInterval(() => this.tick(), 1000)
    this.startedAt ||= Date.now()
    const source = new EventSource('/api/v1/events/stream')
    this.source = source
    this.saidAway = false
    source.onopen = () => { this.isOpen = true; this.saidAway = false; this.brokenAt = 0; this.failures = 0; this.heard() }
    source.onerror = () => {
      this.isOpen = false
      this.brokenAt ||= Date.now()
      this.failures += 1
      if (source.readyState === EventSource.CLOSED) { this.source = null }
    }
    source.addEventListener('state', (event) => {
      this.take(JSON.parse((event as MessageEvent).data))
      this.heard()
      // An `away` ends with its connection: a new one says it before its first `state`, if it still holds.
      if (this.awayText && !this.saidAway && !this.lacksFigures) this.answers()
    })
    source.addEventListener('away', (event) => {
      this.saidAway = true
      this.awayAt = Date.now()
      this.awayText = JSON.parse((event as MessageEvent).data).text
    })
    for (const kind of ['begun', 'back', 'skipped']) {
      source.addEventListener(kind, () => {
        // After `skipped` the numbers may be another database's, a restored one's: a key that was seen says nothing.
        if (kind === 'skipped') this.seen.clear()
        this.saidAway = false
        this.heard()
        this.answers()
      })
    }
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        const data = JSON.parse((event as MessageEvent).data) as Row
        this.heard()
        if (this.seen.has(data.key)) return
        this.seen.add(data.key)
        if (this.seen.size > 4000) this.seen = new Set([...this.seen].slice(-2000))
        this.tell(kind, data)
      })
    }
  }

  stop(): void {
    this.source?.close()
    this.source = null
    this.isOpen = false
    if (this.timer) clearInterval(this.timer)
    this.timer = null
    this.state = null
    this.awayText = ''
    this.lacksFigures = false
    this.heardAt = 0
    this.startedAt = 0
    this.brokenAt = 0
  }

  /** Be called for each event of a kind; ends with the function that it returns. */
  on(kind: Kind, listener: Listener): () => void {
    const found = this.listeners.get(kind) ?? new Set<Listener>()
    this.listeners.set(kind, found.add(listener))
    return () => found.delete(listener)
  }

  /** Be called when something may have happened of which no event is sent: all that was read is to be read again. */
  onMissed(read: () => void): () => void {
    this.missing.add(read)
    return () => this.missing.delete(read)
  }

  retry(): void {
    this.source?.close()
    this.source = null
    this.start()
  }

  /** Without the database what it would say is missing: the last known figures stand, marked as old. */
  private take(state: Row): void {
    this.lacksFigures = state.equity_usdt === null && (this.state?.equity_usdt ?? null) !== null
    if (!this.lacksFigures) { this.state = { ...this.state, ...state }; this.knownAt = Date.now(); return }
    const { equity_usdt, equity_ms, engines, expected } = this.state!
    this.state = { ...this.state, ...state, equity_usdt, equity_ms, engines, expected }
  }
  /** The database answers again, or something is missing: what was read before may be older. */
  private answers(): void { this.awayText = ''; this.missing.forEach((read) => read()) }
  private tell(kind: Kind, data: Row): void { this.listeners.get(kind)?.forEach((listener) => listener(data)) }
  private heard(): void { this.heardAt = Date.now(); this.now = Date.now() }

  private async tick(): Promise<void> {
    this.now = Date.now()
    if (!this.source) this.start()
    // A calm stream says nothing to this script (comments are invisible to it), and a proxy may hold a stream back: the
    // overview is the sign of life.
    if (this.now - Math.max(this.heardAt, this.startedAt) > (this.brokenAt ? 900 : 5000)) {
      try {
        const state: Row = await get('overview')
        this.take(state)
        this.heard()
        // The server may give an overview of the second before the outage.
        if (this.awayText && state.equity_usdt !== null && Date.now() - this.awayAt > OVERVIEW_KEPT_MS) this.answers()
      } catch { this.failures += 1 }
    }
  }
}

export const live = new Live()
