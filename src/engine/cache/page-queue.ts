// Page numbers, first in, first out. Page numbers are not 0.

const FORGET_AT = 1024

export class PageQueue {
  private pages: number[] = []
  private first = 0

  get length(): number {
    return this.pages.length - this.first
  }

  /** The page pushed last, or 0 when the queue is empty. */
  get newest(): number {
    return this.length === 0 ? 0 : (this.pages[this.pages.length - 1] as number)
  }

  push(page: number): void {
    this.pages.push(page)
  }

  /** Takes the oldest out, or 0. */
  shift(): number {
    if (this.length === 0) return 0
    const page = this.pages[this.first++] as number
    if (this.first === FORGET_AT) {
      this.pages = this.pages.slice(FORGET_AT)
      this.first = 0
    }
    return page
  }
}
