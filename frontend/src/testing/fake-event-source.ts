/** An EventSource that a test plays: it opens, says, drops and gives up when told to. */
export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  /** All that were made since the last `install`, oldest first. */
  static made: FakeEventSource[] = [];

  readonly url: string;
  readyState: number = FakeEventSource.CONNECTING;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(url: string) {
    super();
    this.url = url;
    FakeEventSource.made.push(this);
  }

  static install(): void {
    FakeEventSource.made = [];
    globalThis.EventSource = FakeEventSource as unknown as typeof EventSource;
  }

  static get last(): FakeEventSource {
    const source = FakeEventSource.made.at(-1);
    if (!source) throw new Error('no EventSource was made');
    return source;
  }

  open(): void {
    this.readyState = FakeEventSource.OPEN;
    this.onopen?.();
  }

  say(type: string, data: unknown, id?: number): void {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    this.dispatchEvent(
      new MessageEvent(type, { data: text, lastEventId: id === undefined ? '' : String(id) }),
    );
  }

  /** The connection broke; the browser reconnects by itself. */
  drop(): void {
    this.readyState = FakeEventSource.CONNECTING;
    this.onerror?.();
  }

  /** Any other status than 200: the browser gives up. */
  refuse(): void {
    this.readyState = FakeEventSource.CLOSED;
    this.onerror?.();
  }

  close(): void {
    this.readyState = FakeEventSource.CLOSED;
  }
}
