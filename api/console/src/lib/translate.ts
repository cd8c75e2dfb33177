// The texts that the system composes, in Russian, by the catalogue that `api/texts/translation.py` reads too. The rule
// (which text is known, what stays as a person wrote it, which template may stand around it) is written there once; this
// is the same in TypeScript, name by name, and a test compares what both say.

export interface Catalogue { texts: Record<string, string>; words: Record<string, string> }
interface Pattern { weight: number; literals: string[]; gaps: number[]; russian: string; quoted: boolean[]; specific: boolean }
type Free = (text: string) => boolean

const GAP = /\{(\d+)\}/
const WORD = /[A-Za-z]{3,}/g
/** Where sentences and lists are cut, with what joins the parts in Russian. */
const SEPARATORS: [string, string][] = [['. ', '. '], ['; ', '; '], [': ', ': '], [' (', ' ('], [', ', ', '], [' and ', ' и '], [' or ', ' или ']]
/** One part of a gap, between blanks, that is the same in every language. */
const VALUE = new RegExp(`^[(\\['"]*(?:${[
  '[ -@\\[-`{-~\\u00b0-\\u00b7\\u00d7\\u2000-\\u2bff]*', '[!-~]*[0-9][!-~]*', '[A-Z][A-Z&/_-]+', '[a-z]+(?:[A-Z][a-z]*)+|(?:[A-Z][a-z]+){2,}',
  '[A-Za-z/~.-]*[A-Za-z](?:[._/][A-Za-z_-]+)+/?', "`[^`]*`|'[^']*'|[sh%]|ms|maker|taker|spot|linear|eternal",
].join('|')})[)\\]'".,;:]*$`)
const FEWEST_WORDS = 3
const FEWEST_LETTERS = 16
const LONG_WORD = /[A-Za-z]{4,}/g
const ANY_WORD = /[A-Za-z]{2,}/g
const DEEPEST = 8
const MOST_WORK = 16_000
const EACH = 40
const LONGEST = 4000
const KEPT = 20_000
const TOGETHER = 4
/** What joins a piece of a text to the piece before or after it. */
const AT_AN_END = /^[,;.:]? +| +$/g

function patternOf(english: string, russian: string): Pattern {
  const parts = english.split(GAP)
  const literals = parts.filter((_, at) => at % 2 === 0)
  const quoted: boolean[] = []
  let own = ''
  for (const [at, before] of literals.slice(0, -1).entries()) {
    own += before
    const left = before.slice(-1), right = literals[at + 1]!.slice(0, 1)
    quoted.push(isOdd(own) || (left === right && (left === "'" || left === '"')))
  }
  return { weight: literals.join('').length, literals, gaps: parts.filter((_, at) => at % 2).map(Number), russian, quoted, specific: isSpecific(literals) }
}

function isSpecific(literals: string[]): boolean {
  const own = literals.join('\n'), words = own.match(LONG_WORD) ?? []
  if (words.length >= FEWEST_WORDS) return true
  const begins = literals[0]!.match(LONG_WORD) !== null && (own.match(ANY_WORD) ?? []).length >= FEWEST_WORDS
  return begins && words.length > 1 && words.join('').length >= FEWEST_LETTERS
}

/** What stands in the gaps, each as short as can be, from the first on; null: the text is another one. Linear in the
 *  text, where a regular expression would try every division of it. */
function shortest({ literals }: Pattern, text: string): string[] | null {
  const first = literals[0]!, last = literals.at(-1)!
  const end = text.length - last.length
  let at = first.length
  if (at > end || !text.startsWith(first) || !text.endsWith(last)) return null
  const found: string[] = []
  for (const literal of literals.slice(1, -1)) {
    const place = text.indexOf(literal, at)
    if (place < 0 || place + literal.length > end) return null
    found.push(text.slice(at, place))
    at = place + literal.length
  }
  return [...found, text.slice(at, end)]
}

/** The same with the first gaps as long as can be. */
function longest({ literals }: Pattern, text: string): string[] | null {
  const first = literals[0]!, last = literals.at(-1)!
  let at = text.length - last.length
  if (first.length > at || !text.startsWith(first) || !text.endsWith(last)) return null
  const found: string[] = []
  for (const literal of literals.slice(1, -1).reverse()) {
    const place = at < literal.length ? -1 : text.lastIndexOf(literal, at - literal.length)
    if (place < first.length) return null
    found.push(text.slice(place + literal.length, at))
    at = place
  }
  return [text.slice(first.length, at), ...found.reverse()]
}

export class Translator {
  private readonly words: Set<string>
  private readonly exact = new Map<string, string>()
  /** By the longest word of the template: only these can match a text that has the word. */
  private readonly byWord = new Map<string, Pattern[]>()
  private readonly said = new Map<string, string>()
  private known = new Map<string, string | null>()
  private workLeft = 0

  constructor({ texts, words }: Catalogue) {
    this.words = new Set(Object.keys(words))
    for (const [english, russian] of Object.entries({ ...words, ...Object.fromEntries(pieces(texts)), ...texts })) {
      if (!GAP.test(english)) { this.exact.set(english, russian); continue }
      const anchor = (english.replace(/\{\d+\}/g, '\n').match(WORD) ?? ['']).reduce((a, b) => (b.length > a.length ? b : a))
      const found = this.byWord.get(anchor)
      if (found) found.push(patternOf(english, russian))
      else this.byWord.set(anchor, [patternOf(english, russian)])
    }
  }

  /** The text in Russian; what the catalogue does not know stays as it is. */
  say(text: string): string {
    if (!text || text.length > LONGEST) return text
    const known = this.said.get(text)
    if (known !== undefined) return known
    this.known = new Map()
    this.workLeft = MOST_WORK
    if (this.said.size > KEPT) this.said.clear()
    const found = this.whole(text, 0) ?? this.framed(text, isOneSentence) ?? this.bySentence(text) ?? this.framed(text, () => true) ?? text
    this.said.set(text, found)
    return found
  }

  /** The text in Russian, if all of it is known. */
  private whole(text: string, depth: number): string | null {
    const exact = this.exact.get(text)
    if (exact !== undefined) return exact
    if (isValue(text)) return text
    const known = this.known.get(text)
    if (known !== undefined) return known
    this.workLeft -= text.length + EACH
    if (depth > DEEPEST || this.workLeft < 0) return null
    this.known.set(text, null) // while it is being read
    let found: string | null = null
    for (const one of this.readings(text, depth)) if ((found = one) !== null) break
    this.known.set(text, found)
    return found
  }

  private *readings(text: string, depth: number): Generator<string | null> {
    for (const pattern of this.candidates(text)) for (const values of divisions(pattern, text)) yield this.fill(pattern, values, depth)
    for (const [other, back] of otherEnds(text)) {
      const said = this.whole(other, depth + 1)
      yield said === null ? null : back(said)
    }
    for (const [separator, russian] of SEPARATORS) {
      for (const at of new Set([text.indexOf(separator), text.lastIndexOf(separator)])) {
        if (at < 0 || isOdd(text.slice(0, at))) continue
        const before = text.slice(0, at), after = text.slice(at + separator.length)
        yield this.joined(before, russian, after, depth + 1)
        if (separator === '. ' || separator === ': ') yield this.joined(before + separator[0], ' ', after, depth + 1)
      }
    }
  }

  private joined(before: string, russian: string, after: string, depth: number): string | null {
    const first = this.whole(before, depth)
    const second = first === null ? null : this.whole(after, depth)
    return first === null || second === null ? null : first + russian + second
  }

  private candidates(text: string): Pattern[] {
    const words = new Set(text.match(WORD) ?? [])
    const found = [...(this.byWord.get('') ?? [])]
    for (const word of words) found.push(...(this.byWord.get(word) ?? []))
    return found.filter((one) => shortest(one, text) !== null).sort((a, b) => b.weight - a.weight)
  }

  /** The template's Russian with what stands in its gaps; `free`: which text may stand there unknown. */
  private fill(pattern: Pattern, values: string[], depth: number, free?: Free): string | null {
    const said = new Map<number, string>()
    if (!pattern.specific && values.every((one) => this.words.has(one))) return null
    for (const [at, gap] of pattern.gaps.entries()) {
      const value = values[at]!
      const known = pattern.quoted[at] ? value : isOdd(value) ? null : this.whole(value, depth + 1)
      if (known === null && (!free || isOdd(value) || !free(value))) return null
      said.set(gap, known ?? value)
    }
    return pattern.russian.replace(/\{(\d+)\}/g, (_, gap) => said.get(Number(gap))!)
  }

  /** The text by a specific template around words that are not known. */
  private framed(text: string, free: Free): string | null {
    for (const [other, back] of [[text, (said: string) => said] as const, ...otherEnds(text)]) {
      this.workLeft -= text.length + EACH
      for (const pattern of this.workLeft > 0 ? this.candidates(other) : []) {
        for (const values of pattern.specific ? divisions(pattern, other) : []) {
          this.workLeft -= text.length
          const said = this.fill(pattern, values, 0, free)
          if (said !== null) return back(said)
        }
      }
    }
    return null
  }

  /** Joined sentences, each or a few together judged by itself; null where none of them is known. */
  private bySentence(text: string): string | null {
    const parts = text.split('. ')
    const ends = parts.map((one, at) => (at < parts.length - 1 ? `${one}.` : one))
    const said: string[] = []
    let isKnown = false
    for (let at = 0; at < ends.length; ) {
      let group = ends[at]!, found: string | null = null, count = Math.min(TOGETHER, ends.length - at)
      for (; count > 0; count -= 1) {
        group = ends.slice(at, at + count).join(' ')
        found = group === text ? null : (this.whole(group, 1) ?? this.framed(group, isOneSentence))
        if (found !== null) break
      }
      isKnown ||= found !== null && found !== group
      said.push(found ?? group)
      at += Math.max(count, 1)
    }
    return isKnown ? said.join(' ') : null
  }
}

/** Whether a text is values alone, the same in every language. */
function isValue(text: string): boolean {
  return text.split(' ').every((one) => VALUE.test(one))
}

function isOdd(text: string): boolean {
  return text.split('`').length % 2 === 0
}

function isOneSentence(text: string): boolean {
  return !text.includes('. ')
}

function* divisions(pattern: Pattern, text: string): Generator<string[]> {
  yield shortest(pattern, text)!
  if (pattern.gaps.length > 1) yield longest(pattern, text)!
}

/** The text as it stands within another one, with the way back. */
function* otherEnds(text: string): Generator<readonly [string, (said: string) => string]> {
  if (/^[A-Z][a-z]/.test(text)) yield [text[0]!.toLowerCase() + text.slice(1), (said) => said.charAt(0).toUpperCase() + said.slice(1)]
  if (/[.)]$/.test(text)) yield [text.slice(0, -1), (said) => said + text.slice(-1)]
}

/** A piece that is joined to another one is known by itself and with what it is joined to; a template of its own comes
 *  before that. */
function* pieces(texts: Record<string, string>): Generator<[string, string]> {
  for (const [english, russian] of Object.entries(texts)) {
    const bare = english.replace(AT_AN_END, '')
    if (bare === english) continue
    yield [bare, russian.replace(AT_AN_END, '')]
    const joins = /^[ ,;.:]/.test(english)
    const before = joins ? '{0}' : '', after = !joins && english.endsWith(' ') ? '{0}' : ''
    yield [before + english + after, before + russian + after]
  }
}
