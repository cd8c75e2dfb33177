// lightweight-charts with the colours of the theme; only what the pages need.

import { settings } from './settings.svelte'
import { CandlestickSeries, ColorType, createChart, createSeriesMarkers, AreaSeries, LineSeries, LineStyle, type IChartApi, type ISeriesApi, type SeriesMarker, type Time, type UTCTimestamp } from 'lightweight-charts'

export { AreaSeries, CandlestickSeries, LineSeries, LineStyle, createSeriesMarkers }
export type { IChartApi, ISeriesApi, SeriesMarker, Time }

export const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
export const at = (ms: number): UTCTimestamp => (ms / 1000) as UTCTimestamp

export function makeChart(box: HTMLElement): IChartApi {
  return createChart(box, { autoSize: true, ...look(), handleScale: { axisPressedMouseMove: false }})
}

/** Groups by thin spaces; as many places as a price of this size needs. */
export const PRICES = { type: 'custom' as const, minMove: 0.0001, formatter: (price: number) => price.toLocaleString('en', { maximumFractionDigits: Math.abs(price) < 10 ? 4 : Math.abs(price) < 1000 ? 2 : 0 }).replaceAll(',', '\u2009') }
export const PERCENT = { type: 'custom' as const, minMove: 0.01, formatter: (value: number) => `${value.toFixed(1).replace('-', '\u2212')} %` }

export function look() {
  return {
    localization: { locale: settings.language === 'ru' ? 'ru-RU' : 'en-GB' },
    layout: { background: { type: ColorType.Solid, color: colour('--panel') }, textColor: colour('--tx3'), fontFamily: "'Inter Variable', sans-serif", fontSize: 11, attributionLogo: false, panes: { separatorColor: colour('--line'), enableResize: false } },
    grid: { vertLines: { visible: false }, horzLines: { color: colour('--line') } },
    rightPriceScale: { borderVisible: false }, timeScale: { borderColor: colour('--line'), timeVisible: false }, crosshair: { vertLine: { color: colour('--line2'), labelBackgroundColor: colour('--raised') }, horzLine: { color: colour('--line2'), labelBackgroundColor: colour('--raised') } },
  }
}
