// Figures come as exact decimals in text and are shown from that text: a float would lose digits.

import { settings } from './settings.svelte'

export const UNKNOWN = '–'
const THIN = ' '
const MINUS = '−'

type Figure = string | number | null | undefined

function parts(figure: string): { negative: boolean; whole: string; fraction: string } {
  const negative = figure.startsWith('-')
  const [whole = '0', fraction = ''] = figure.replace(/^[-+]/, '').split('.')
  return { negative, whole: whole.replace(/^0+(?=\d)/, ''), fraction }
}

function increment(digits: string): string {
  const found = digits.split('')
  for (let at = found.length - 1; at >= 0; at--) {
    if (found[at] !== '9') {
      found[at] = String(Number(found[at]) + 1)
      return found.join('')
    }
    found[at] = '0'
  }
  return '1' + found.join('')
}

/** The figure with so many places, rounded half up on its digits. */
export function rounded(figure: string, places: number): string {
  const { negative, whole, fraction } = parts(figure)
  const kept = fraction.slice(0, places).padEnd(places, '0')
  let digits = whole + kept
  if (Number(fraction[places] ?? '0') >= 5) digits = increment(digits)
  const at = digits.length - places
  const text = places ? `${digits.slice(0, at)}.${digits.slice(at)}` : digits
  return negative && /[1-9]/.test(text) ? `-${text}` : text
}

function grouped(whole: string): string {
  return whole.replace(/\B(?=(\d{3})+(?!\d))/g, THIN)
}

/** For reading: thin spaces between groups, a real minus sign. */
export function figure(value: Figure, places?: number): string {
  if (value === null || value === undefined || value === '') return UNKNOWN
  let text = typeof value === 'number' ? plainNumber(value) : value
  if (/^[-+]?\d+(\.\d+)?[eE][-+]?\d+$/.test(text)) text = plainNumber(Number(text))
  if (!/^[-+]?\d+(\.\d+)?$/.test(text)) return String(value)
  if (places !== undefined) text = rounded(text, places)
  const { negative, whole, fraction } = parts(text)
  const shown = grouped(whole) + (fraction ? `.${fraction}` : '')
  return negative && /[1-9]/.test(shown) ? MINUS + shown : shown
}

function plainNumber(value: number): string {
  return Number.isFinite(value) ? value.toFixed(12).replace(/\.?0+$/, '') : String(value)
}

export const usdt = (value: Figure): string => figure(value, 2)

/** Trailing zeros after the point are left out: quantities and prices as the exchange writes them. */
export function trimmed(value: Figure): string {
  if (typeof value !== 'string' || !value.includes('.')) return figure(value)
  return figure(value.replace(/\.?0+$/, ''))
}

export function sign(value: Figure): -1 | 0 | 1 {
  if (value === null || value === undefined) return 0
  const text = String(value)
  if (!/[1-9]/.test(text)) return 0
  return text.startsWith('-') ? -1 : 1
}

/** A change: always with its sign, `±0.00` for none. */
export function change(value: Figure, places = 2): string {
  if (value === null || value === undefined) return UNKNOWN
  const text = figure(value, places)
  if (!/[1-9]/.test(text)) return `±${text.replace(MINUS, '')}`
  return text.startsWith(MINUS) ? text : `+${text}`
}

/** A fraction of 1 as per cent. */
export function percent(value: Figure, places = 2, signed = false): string {
  if (value === null || value === undefined) return UNKNOWN
  const hundred = Number(value) * 100
  if (!Number.isFinite(hundred)) return UNKNOWN
  const text = hundred.toFixed(places)
  return `${signed ? change(text, places) : figure(text, places)} %`
}

/** The difference of two decimals, exact to the longer fraction. */
export function minus(a: string, b: string): string {
  const places = Math.max(parts(a).fraction.length, parts(b).fraction.length)
  const scaled = (text: string) => {
    const { negative, whole, fraction } = parts(text)
    const value = BigInt(whole + fraction.padEnd(places, '0'))
    return negative ? -value : value
  }
  const found = scaled(a) - scaled(b)
  const digits = (found < 0n ? -found : found).toString().padStart(places + 1, '0')
  const text = places ? `${digits.slice(0, -places)}.${digits.slice(-places)}` : digits
  return found < 0n ? `-${text}` : text
}

/** Whether two texts are one value: 0.1 and 0.10 are; what is no number must be the same text. */
export function isSame(a: string, b: string): boolean {
  const number = /^[-+]?\d+(\.\d+)?$/
  return a === b || (number.test(a) && number.test(b) && !/[1-9]/.test(minus(a, b)))
}

const two = (value: number) => String(value).padStart(2, '0')

export function instant(ms: number | null | undefined, local: boolean, withSeconds = true): string {
  if (ms === null || ms === undefined) return UNKNOWN
  const at = new Date(ms)
  if (Number.isNaN(at.getTime())) return UNKNOWN
  const [y, mo, d, h, mi, s] = local
    ? [at.getFullYear(), at.getMonth(), at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()]
    : [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
  return `${y}-${two(mo + 1)}-${two(d)} ${two(h)}:${two(mi)}${withSeconds ? `:${two(s)}` : ''}`
}

export const day = (ms: number | null | undefined, local = false): string => instant(ms, local).slice(0, 10)
export const clock = (ms: number | null | undefined, local = false): string => instant(ms, local).slice(11)

export function zone(local: boolean): string {
  if (!local) return 'UTC'
  const minutes = -new Date().getTimezoneOffset()
  return `${minutes < 0 ? MINUS : '+'}${two(Math.trunc(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`
}

const UNITS = { en: { s: 's', min: 'min', h: 'h', d: 'd' }, ru: { s: 'с', min: 'мин', h: 'ч', d: 'д' } }

/** 0.8 s, 51 s, 7 min 29 s, 8 d 23 h. */
export function age(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || seconds < 0) return UNKNOWN
  const { s, min, h, d } = UNITS[settings.language]
  if (seconds < 10) return `${seconds.toFixed(1)} ${s}`
  const whole = Math.floor(seconds)
  if (whole < 60) return `${whole} ${s}`
  if (whole < 3600) return `${Math.floor(whole / 60)} ${min} ${whole % 60} ${s}`
  if (whole < 86400) return `${Math.floor(whole / 3600)} ${h} ${Math.floor((whole % 3600) / 60)} ${min}`
  return `${Math.floor(whole / 86400)} ${d} ${Math.floor((whole % 86400) / 3600)} ${h}`
}
