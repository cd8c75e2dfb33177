// A table whose rows become blocks on a phone: each cell but the first carries the head of its column.

export function stacked(table: HTMLTableElement): { destroy: () => void } {
  const heads = () => [...table.querySelectorAll('thead th')].map((one) => one.textContent ?? '')
  const name = (rows: Iterable<HTMLTableRowElement>, texts: string[]) => {
    for (const row of rows) [...row.cells].forEach((cell, at) => { if (at && cell.dataset.head !== texts[at]) cell.dataset.head = texts[at] ?? '' })
  }
  const all = () => name(table.querySelectorAll('tbody tr'), heads())
  table.classList.add('stacked')
  all()
  const watch = new MutationObserver((records) => {
    if (records.some((one) => one.target instanceof Node && table.tHead?.contains(one.target))) { all(); return }
    const added = records.flatMap((one) => [...one.addedNodes]).filter((one): one is HTMLTableRowElement => one instanceof HTMLTableRowElement)
    if (added.length) name(added, heads())
  })
  watch.observe(table, { childList: true, characterData: true, subtree: true })
  return { destroy: () => watch.disconnect() }
}
