// A list in pages: the newest page, more on demand, a count of what is new instead of rows that move under the reader.

import { get, type PageOf, type Row } from './api'
import { unique } from './unique'

/** Rows of a page after the first. */
const MORE = 200

export class Paged {
  // Raw: a page's rows are replaced, never changed, and thousands of them need no watching one by one.
  rows = $state.raw<Row[]>([])
  next = $state<string | null>(null)
  problem = $state('')
  isRead = $state(false)
  fresh = $state(0)

  constructor(private readonly path: string, private readonly query: () => Record<string, string | number | undefined>, private readonly size = 50) {}

  async load(more = false): Promise<void> {
    try {
      const page = await get<PageOf>(this.path, { ...this.query(), limit: more ? Math.max(this.size, MORE) : this.size, before: more ? this.next : null })
      this.rows = unique(this.path, more ? [...this.rows, ...page.rows] : page.rows)
      this.next = page.next
      this.problem = ''
      if (!more) this.fresh = 0
    } catch (error) { this.problem = error instanceof Error ? error.message : String(error) }
    this.isRead = true
  }
}
