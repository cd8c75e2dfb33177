// A list under keys draws nothing at all when one key comes twice: what the pages of a list repeat is left out.

import type { Row } from './api'

/** The columns that make a row of a list one of its kind. */
export const KEYS: Record<string, readonly string[]> = {
  orders: ['client_order_id'],
  executions: ['account', 'execution_id'],
  transfers: ['transfer_id'],
  alerts: ['alert_id'],
  discrepancies: ['discrepancy_id'],
  'control/history': ['command_id'],
  decisions: ['id'],
}

/** The rows without those whose key was there before. */
export function unique(path: string, rows: readonly Row[]): Row[] {
  const keys = KEYS[path]
  if (!keys) return [...rows]
  const seen = new Set<string>()
  return rows.filter((row) => {
    const key = keys.map((name) => row[name]).join('\n')
    return seen.has(key) ? false : Boolean(seen.add(key))
  })
}
