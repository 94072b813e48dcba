import type { EndEvent, QueuedEvent, ReadingEvent, SnapshotEvent, TextDelta } from './generated';

/** What arrives on a generation's stream. `seq` of a text event is its id: the place to resume from. */
export type StreamEvent =
  | ({ type: 'snapshot' } & SnapshotEvent)
  | ({ type: 'queued' } & QueuedEvent)
  | ({ type: 'reading' } & ReadingEvent)
  | ({ type: 'text'; seq: number } & TextDelta)
  | ({ type: 'end' } & EndEvent);

export type ConnectionState = 'connecting' | 'open' | 'waiting';

export interface StreamHandlers {
  onEvent: (event: StreamEvent) => void;
  onConnection?: (state: ConnectionState) => void;
}

export interface StreamEnvironment {
  createSource: (url: string) => EventSource;
  schedule: (run: () => void, milliseconds: number) => () => void;
}

const browser: StreamEnvironment = {
  createSource: (url) => new EventSource(url),
  schedule: (run, milliseconds) => {
    const timer = setTimeout(run, milliseconds);
    return () => clearTimeout(timer);
  },
};

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;

/** Where the stream of a message's generation is, from a place on. */
export function streamUrl(messageId: string, after: number): string {
  return `/api/generations/${encodeURIComponent(messageId)}/events${after > 0 ? `?after=${after}` : ''}`;
}

/** One message of the stream, or null when it is none of ours or not whole. */
export function parseStreamEvent(type: string, data: string, lastEventId: string): StreamEvent | null {
  let payload: unknown;
  try {
    payload = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof payload !== 'object' || payload === null) return null;
  if (type === 'text') {
    const seq = Number.parseInt(lastEventId, 10);
    return Number.isNaN(seq) ? null : ({ type, seq, ...payload } as StreamEvent);
  }
  return { type, ...payload } as StreamEvent;
}

const EVENT_TYPES = ['snapshot', 'queued', 'reading', 'text', 'end'] as const;

/**
 * Follows a generation to its end; returns what stops following (the generation itself goes on).
 *
 * The browser reconnects by itself after a dropped connection, but gives up for good on any other status than 200, as a
 * proxy sends while a server restarts: then a new source is opened, later each time, from the last place seen.
 */
export function followGeneration(
  messageId: string,
  handlers: StreamHandlers,
  environment: StreamEnvironment = browser,
): () => void {
  let source: EventSource | null = null;
  let cancelRetry: (() => void) | null = null;
  let failures = 0;
  let seq = 0;
  let closed = false;

  const close = () => {
    closed = true;
    cancelRetry?.();
    source?.close();
  };

  const receive = (message: MessageEvent<string>) => {
    if (closed) return;
    const event = parseStreamEvent(message.type, message.data, message.lastEventId);
    if (!event) return;
    failures = 0;
    if (event.type === 'snapshot' || event.type === 'text') seq = event.seq;
    if (event.type === 'end') close();
    handlers.onEvent(event);
  };

  const failed = (opened: EventSource) => {
    if (closed || source !== opened) return;
    handlers.onConnection?.('waiting');
    if (opened.readyState !== EventSource.CLOSED) return;
    const delay = Math.min(FIRST_DELAY_MS * 2 ** failures, LONGEST_DELAY_MS);
    failures += 1;
    cancelRetry = environment.schedule(open, delay);
  };

  const open = () => {
    if (closed) return;
    handlers.onConnection?.('connecting');
    const opened = environment.createSource(streamUrl(messageId, seq));
    source = opened;
    opened.onopen = () => handlers.onConnection?.('open');
    opened.onerror = () => failed(opened);
    for (const type of EVENT_TYPES) opened.addEventListener(type, receive as EventListener);
  };

  open();
  return close;
}
