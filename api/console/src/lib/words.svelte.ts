// English is written in the pages; Russian stands in `russian.ts` under the English text. State codes stay English.

import { russian } from './russian'
import { settings } from './settings.svelte'
import { Translator } from './translate'

let translator = $state.raw<Translator | null>(null)
let isAsked = false

/** The catalogue is read when Russian is first chosen, so that an English page does not wait for it. */
export async function readCatalogue(): Promise<void> {
  if (isAsked || settings.language !== 'ru') return
  isAsked = true
  try { translator = new Translator((await import('../../../texts/russian.json')).default) } catch { isAsked = false }
}

/** What the system itself has composed, in the chosen language: reasons, alerts, refusals, names of conditions. */
export function say(text: string | null | undefined): string {
  if (!text) return ''
  return settings.language === 'ru' && translator ? translator.say(text) : text
}

/** The text in the chosen language; `{name}` is replaced. A test holds that every text of the pages has its Russian. */
export function t(text: string, values: Record<string, string | number> = {}): string {
  const chosen = settings.language === 'ru' ? (russian[text] ?? text) : text
  return chosen.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole))
}

export const ENGINE_TITLES: Record<string, string> = {
  'core-hodl': 'CORE-HODL', 'trend-1': 'TREND-1', 'trend-2': 'TREND-2', funding: 'FUNDING', tactical: 'TACTICAL',
}
export const titleOf = (engine: string): string => engine === 'total' ? t('Portfolio') : (ENGINE_TITLES[engine] ?? engine)

const COLOURS: Record<string, string> = { 'core-hodl': '--e1', 'trend-1': '--e2', 'trend-2': '--e3', funding: '--e4', tactical: '--e5', 'CORE-HODL': '--e1', TREND: '--e2', 'TREND-1': '--e2', 'TREND-2': '--e3', FUNDING: '--e4', TACTICAL: '--e5' }
export const colourOf = (engine: string): string => `var(${COLOURS[engine] ?? '--tx3'})`

const GOOD = new Set(['RUNNING', 'IN_POSITION', 'ACCUMULATION', 'FUNDING_COLLECTION', 'DEPLOYED', 'NORMAL', 'DONE', 'FILLED', 'OPEN'])
const WARN = new Set(['CAUTION', 'PAUSED', 'REDUCE_ONLY', 'RECOVERING', 'STARTING', 'SUSPECT', 'FENCED', 'UNKNOWN', 'PENDING'])
const BAD = new Set(['HALTED', 'FAULTED', 'FAILED', 'EMERGENCY_EXIT', 'REJECTED'])
export type Tone = 'ok' | 'warn' | 'crit' | 'accent' | 'plain'
export function toneOf(state: string): Tone {
  if (GOOD.has(state)) return 'ok'
  if (WARN.has(state)) return 'warn'
  return BAD.has(state) ? 'crit' : 'plain'
}

/** A sentence cut at the rules that it cites, so that they can be set apart. */
export function withRules(text: string): { text: string; isRule: boolean }[] {
  return text.split(/\b((?:TR|FU|CH|TA|OR|RM|EX|DA|DE|IF)-\d{1,2}|(?:[ACDFORTX]\d{1,2})(?=[),;: ]|$))/).map((part, at) => ({ text: part, isRule: at % 2 === 1 })).filter((part) => part.text)
}
