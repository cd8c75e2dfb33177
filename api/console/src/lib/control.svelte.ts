// Which command the dialog is about; every page opens it.

class Control {
  action = $state('')
  scope = $state('GLOBAL')
  open(action: string, scope: string): void { this.action = action; this.scope = scope }
  close(): void { this.action = '' }
}
export const control = new Control()
