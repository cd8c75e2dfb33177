// What the page about backtests says in several places.

import { day, figure, percent, UNKNOWN } from './format'
import type { Row } from './api'
import { t, titleOf } from './words.svelte'

export const ACTIVE = new Set(['QUEUED', 'RUNNING'])
export const isActive = (run: Row): boolean => ACTIVE.has(run.state)

/** A run's own name; without one what was asked for. */
export const titleOfRun = (run: Row): string => run.name || (run.wanted?.engines ? run.wanted.engines.split(',').map(titleOf).join(', ') : run.wanted ? t('All engines') : run.run_id)

/** The last instant is the first of the day after. */
export const period = (fromMs: number | null | undefined, endMs: number | null | undefined): string =>
  fromMs && endMs ? `${day(fromMs)} – ${day(endMs - 1)}` : UNKNOWN

export const ratio = (value: number | null | undefined): string => (value === null || value === undefined ? UNKNOWN : figure(value.toFixed(2)))
export const share = (value: number | null | undefined, signed = true): string => percent(value, 1, signed)
export const wayOf = (value: number | null | undefined): string => (!value || Math.abs(value) < 0.0005 ? '' : value > 0 ? 'gain' : 'loss')
