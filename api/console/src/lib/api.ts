// The one way to the interface. The session's cookie is out of reach of this script; what changes something carries the
// session's csrf value as well.

import { t } from './words.svelte'

export type Row = Record<string, any>
export interface PageOf<T = Row> { rows: T[]; next: string | null }
export interface Standing {
  person: string; scope: 'read' | 'control' | 'admin'; withheld: string | null
  session_id: string | null; csrf: string | null; idle_s: number | null; ends_ms: number | null
}

export class Refused extends Error {
  constructor(readonly status: number, sentence: string, readonly field: string | null = null) { super(sentence) }
}
export class Unreachable extends Error {}

const TIMEOUT_MS = 12_000
let csrf = ''
let onLoggedOut: () => void = () => {}

export function whenLoggedOut(action: () => void): void { onLoggedOut = action }

async function send(method: string, path: string, body?: unknown): Promise<any> {
  let answer: Response
  try {
    answer = await fetch(`/api/v1/${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...(method === 'GET' ? {} : { 'X-CSRF-Token': csrf }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
  } catch {
    throw new Unreachable(t('The console server does not answer.'))
  }
  let found: any = null
  try { found = await answer.json() } catch { /* an answer that is no JSON is judged by its status */ }
  if (answer.ok) return found
  if (answer.status === 401 && path !== 'session') onLoggedOut()
  throw new Refused(answer.status, found?.error ?? t('The interface answered with status {status}.', { status: answer.status }), found?.field ?? null)
}

export const get = <T = any>(path: string, query: Record<string, string | number | null | undefined> = {}): Promise<T> => {
  const chosen = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '')
  const text = new URLSearchParams(chosen.map(([name, value]) => [name, String(value)])).toString()
  return send('GET', text ? `${path}?${text}` : path)
}
/** Whether a market has daily bars: before the first close there is nothing to draw, which is no error. */
export const hasBars = async (category: string, symbol: string): Promise<boolean> =>
  (await get<Row[]>('candles/series')).some((one) => one.category === category && one.symbol === symbol && one.interval === 'D')
export const remove = (path: string): Promise<any> => send('DELETE', path)
export const post = (path: string, body: unknown): Promise<any> => send('POST', path, body)

function begun(standing: Standing): Standing {
  csrf = standing.csrf ?? ''
  return standing
}
export const standing = async (): Promise<Standing> => begun(await send('GET', 'session'))
export const logIn = async (body: { token?: string; code?: string; link?: string }): Promise<Standing> => begun(await send('POST', 'session', body))
export const giveCode = async (code: string): Promise<Standing> => begun(await send('POST', 'session/code', { code }))
export const logOut = async (): Promise<void> => { await send('DELETE', 'session') }

export const acknowledge = (alertId: string): Promise<Row> => post(`alerts/${encodeURIComponent(alertId)}/acknowledge`, {})
export interface Command { action: string; scope: string; reason: string; command_id: string }
export const command = (given: Command): Promise<Row> => post('control', given)
