// The texts that the system composes, in Russian. The catalogue gives English templates with gaps and their Russian; a
// text is matched as a whole, what stands in its gaps is translated in turn, and of several readings the one that leaves
// the fewest English words is taken. `api/texts/translation.py` reads the same catalogue by the same rules.

export interface Catalogue { texts: Record<string, string>; words: Record<string, string> }
interface Pattern { weight: number; literals: string[]; gaps: number[]; russian: string }
interface Reading { text: string; left: number }

const GAP = /\{(\d+)\}/
const WORD = /[A-Za-z]{3,}/g
/** Where sentences and lists are cut, with what joins the parts in Russian. */
const SEPARATORS: [string, string][] = [['. ', '. '], ['; ', '; '], [': ', ': '], [' (', ' ('], [', ', ', '], [' and ', ' и '], [' or ', ' или ']]
/** English words that are still to be translated: no names of settings, numbers or quoted commands. */
const LEFT = /(?<![\w`'"./@-])[a-z]{2,}(?![\w`'"/@-]|\.\w)/g
const SAME = new Set(['ms', 'maker', 'taker', 'spot', 'linear', 'eternal'])
/** Readings of one text; a longer search finds no better one. */
const MOST_WORK = 400
const LONGEST = 4000
const KEPT = 20_000
/** What joins a piece of a text to the piece before or after it. */
const AT_AN_END = /^[,;.:]? +| +$/g
/** What a reading costs by which a sentence begins or ends within a gap that is not the last. */
const SPLIT = 0.1

function patternOf(english: string, russian: string): Pattern {
  const parts = english.split(GAP)
  const literals = parts.filter((_, at) => at % 2 === 0)
  return { weight: literals.join('').length, literals, gaps: parts.filter((_, at) => at % 2).map(Number), russian }
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
  private readonly exact = new Map<string, string>()
  /** By the longest word of the template: only these can match a text that has the word. */
  private readonly byWord = new Map<string, Pattern[]>()
  private readonly said = new Map<string, string>()
  private known = new Map<string, Reading>()
  private workLeft = 0

  constructor({ texts, words }: Catalogue) {
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
    const found = this.read(text).text
    this.said.set(text, found)
    return found
  }

  private read(text: string): Reading {
    const known = this.known.get(text)
    if (known) return known
    this.known.set(text, { text, left: left(text) }) // while it is being read
    const found = this.best(text)
    this.known.set(text, found)
    return found
  }

  private best(text: string): Reading {
    const exact = this.exact.get(text)
    if (exact !== undefined) return { text: exact, left: 0 }
    let best: Reading = { text, left: left(text) }
    this.workLeft -= 1
    if (best.left === 0 || this.workLeft < 0) return best
    for (const found of this.readings(text)) {
      if (found.left < best.left) best = found
      if (best.left === 0) break
    }
    return best
  }

  private *readings(text: string): Generator<Reading> {
    for (const pattern of this.candidates(text)) {
      yield this.fill(pattern, shortest(pattern, text)!)
      if (pattern.gaps.length > 1) yield this.fill(pattern, longest(pattern, text)!)
    }
    yield* this.cuts(text)
  }

  private candidates(text: string): Pattern[] {
    const words = new Set(text.match(WORD) ?? [])
    const found = [...(this.byWord.get('') ?? [])]
    for (const word of words) found.push(...(this.byWord.get(word) ?? []))
    return found.filter((one) => shortest(one, text) !== null).sort((a, b) => b.weight - a.weight)
  }

  private fill(pattern: Pattern, values: string[]): Reading {
    const isOpen = pattern.literals.at(-1) === ''
    const said = new Map<number, string>()
    let rest = 0
    for (const [at, gap] of pattern.gaps.entries()) {
      const reading = this.read(values[at]!)
      rest += reading.left
      if (values[at]!.includes(': ') && !(isOpen && at === pattern.gaps.length - 1)) rest += SPLIT
      said.set(gap, reading.text)
    }
    return { text: pattern.russian.replace(/\{(\d+)\}/g, (_, gap) => said.get(Number(gap))!), left: rest }
  }

  /** The text cut where sentences and lists are cut, each part for itself. */
  private *cuts(text: string): Generator<Reading> {
    if (/^[A-Z][a-z]/.test(text)) {
      const small = this.read(text[0]!.toLowerCase() + text.slice(1))
      yield { text: small.text.charAt(0).toUpperCase() + small.text.slice(1), left: small.left }
    }
    if (/[.)]$/.test(text)) {
      const inner = this.read(text.slice(0, -1))
      yield { text: inner.text + text.slice(-1), left: inner.left }
    }
    for (const [separator, russian] of SEPARATORS) {
      for (const at of new Set([text.indexOf(separator), text.lastIndexOf(separator)])) {
        if (at < 0) continue
        const first = this.read(text.slice(0, at))
        const second = this.read(text.slice(at + separator.length))
        yield { text: first.text + russian + second.text, left: first.left + second.left }
      }
    }
  }
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

function left(text: string): number {
  return (text.match(LEFT) ?? []).filter((word) => !SAME.has(word)).length
}
