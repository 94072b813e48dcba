import type { Message } from '@/api/generated';
import { formatEta, formatRate, percent } from '@/lib/format';
import type { StreamState } from './stream';

/** The stage line's words while an answer is being made. */
export function stageSentence({ stage, connection, text }: StreamState): string {
  if (connection === 'waiting') return 'Connection lost, reconnecting. The answer goes on at the server';
  switch (stage.kind) {
    case 'queued':
      return queued(stage.position, stage.etaS);
    case 'reading':
      return `Reading the prompt, ${percent(stage.done, stage.total)} %`;
    case 'writing':
      return stage.tokensPerSecond > 0 ? `Writing, ${formatRate(stage.tokensPerSecond)}` : 'Writing';
    case 'starting':
      return text ? 'Writing' : 'Sent, waiting for the server';
    case 'ended':
      return 'Done';
  }
}

/** The same in the few words that a tab has room for. */
export function tabMark({ stage }: StreamState): string {
  switch (stage.kind) {
    case 'queued':
      return `Queued (${stage.position} ahead) ·`;
    case 'reading':
      return `Reading ${percent(stage.done, stage.total)} % ·`;
    default:
      return 'Writing ·';
  }
}

function queued(position: number, etaS: number): string {
  return position > 0
    ? `Queued, ${position} ahead, ${formatEta(etaS)}`
    : `Queued, next in line, ${formatEta(etaS)}`;
}

/** What became of an answer that did not simply finish, and what one can do. Null when all is well. */
export function outcomeSentence(message: Message): string | null {
  switch (message.status) {
    case 'stopped':
      return 'Stopped. What was written is kept.';
    case 'interrupted':
      return 'Interrupted: the server stopped while it was writing. What was written is kept.';
    case 'error':
      return message.error ?? 'The answer failed.';
    default:
      return message.finish_reason === 'length' ? 'Cut off at the length limit.' : null;
  }
}

export function isRetryable(message: Message): boolean {
  return message.status === 'stopped' || message.status === 'interrupted' || message.status === 'error';
}

/** Whether the model can go on where the answer broke off. */
export function isUnfinished(message: Message): boolean {
  const broken = isRetryable(message) || (message.status === 'done' && message.finish_reason === 'length');
  return broken && message.content !== '';
}
