import type { Message } from '@/api/generated';
import type { ConnectionState, StreamEvent } from '@/api/sse';

/** What a generation is doing, as far as its stream has told. */
export type Stage =
  | { kind: 'starting' }
  | { kind: 'queued'; position: number; etaS: number }
  | { kind: 'reading'; done: number; total: number }
  | { kind: 'writing'; tokens: number; tokensPerSecond: number }
  | { kind: 'ended' };

export interface StreamState {
  text: string;
  /** The place in the stream that `text` reaches; opaque, only compared. */
  seq: number;
  stage: Stage;
  connection: ConnectionState;
  /** The finished message, once the stream has ended. */
  message: Message | null;
}

export type StreamAction =
  | StreamEvent
  | { type: 'connection'; state: ConnectionState }
  /** The answer goes on after its end. */
  | { type: 'restart'; message: Message };

/** Before the first event: the text stored so far, so that a reload does not blank it. */
export function initialStream(message: Message): StreamState {
  return {
    text: message.content,
    seq: 0,
    stage: { kind: 'starting' },
    connection: 'connecting',
    message: null,
  };
}

/**
 * The stream's state after one more event. Text is neither doubled nor dropped: a snapshot replaces everything, text that
 * is already there (a replay after reconnecting) is left out, and nothing changes after the end.
 */
export function reduceStream(state: StreamState, action: StreamAction): StreamState {
  if (action.type === 'restart') return initialStream(action.message);
  if (state.stage.kind === 'ended') return state;
  switch (action.type) {
    case 'connection':
      return { ...state, connection: action.state };
    case 'snapshot':
      return { ...state, text: action.text, seq: action.seq };
    case 'queued':
      return { ...state, stage: { kind: 'queued', position: action.position, etaS: action.eta_s } };
    case 'reading':
      return { ...state, stage: { kind: 'reading', done: action.done, total: action.total } };
    case 'text':
      return action.seq <= state.seq ? state : appended(state, action);
    case 'end':
      return { ...state, text: action.message.content, stage: { kind: 'ended' }, message: action.message };
  }
}

function appended(state: StreamState, event: StreamEvent & { type: 'text' }): StreamState {
  const stage: Stage = { kind: 'writing', tokens: event.tokens, tokensPerSecond: event.tokens_per_second };
  return { ...state, text: state.text + event.text, seq: event.seq, stage };
}
