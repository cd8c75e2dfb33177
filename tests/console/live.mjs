// Runs the console's stream without a browser: a server that is played here, and what a page would show of it.
import fs from 'node:fs'
import { createRequire } from 'node:module'

const [root, scenario] = process.argv.slice(2)
const ts = createRequire(`${root}/package.json`)('typescript')
const source = ['unheard.ts', 'live.svelte.ts'].map((name) => fs.readFileSync(`${root}/src/lib/${name}`, 'utf8').replace(/^import .*$/gm, '')).join('\n')
const options = { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext }
const script = ts.transpileModule(source, { compilerOptions: options }).outputText

class Source {
  static OPEN = 1
  static CLOSED = 2
  readyState = 1
  heard = new Map()
  constructor() { Source.last = this }
  addEventListener(kind, listener) { this.heard.set(kind, listener) }
  close() { this.readyState = 2 }
  say(kind, data) { this.heard.get(kind)({ data: JSON.stringify(data) }) }
}

const PRELUDE = 'const $state = (value) => value\n'
globalThis.EventSource = Source
globalThis.get = async () => ({})
globalThis.setInterval = () => 0
const { live } = await import(`data:text/javascript,${encodeURIComponent(PRELUDE + script)}`)

let read = 0
const told = []
live.onMissed(() => { read += 1 })
live.on('alert', (data) => told.push(data.key))
live.start()
const state = (equity_usdt) => ({ key: 'state', equity_usdt, equity_ms: 1, engines: [], expected: {} })
const say = {
  open: () => Source.last.onopen(),
  begun: () => Source.last.say('begun', { key: 'begun' }),
  back: () => Source.last.say('back', { key: 'back' }),
  skipped: () => Source.last.say('skipped', { key: 'skipped:1:2', text: 'Too far behind.' }),
  away: () => Source.last.say('away', { key: 'away', text: 'The database is away.' }),
  state: () => Source.last.say('state', state('100')),
  without: () => Source.last.say('state', state(null)),
  alert: () => Source.last.say('alert', { key: 'alert:a:open:0' }),
}
for (const word of scenario.split(' ')) say[word]()
console.log(JSON.stringify({ is_stale: live.isStale, read, told }))
