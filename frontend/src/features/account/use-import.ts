import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Export, importConversations } from '@/api/generated';
import { ApiError, sentenceOf } from '@/api/problem';
import { conversationsIn, type Exported, portionsOf } from './import-file';

export interface Refused {
  title: string;
  reason: string;
}

export interface ImportState {
  phase: 'idle' | 'running' | 'failed' | 'done';
  /** Conversations in the file, and how many of them the server has dealt with. */
  total: number;
  dealt: number;
  conversations: number;
  messages: number;
  refused: Refused[];
  /** Why it went no further. */
  error: string | null;
  /** What has not been sent. */
  left: Exported[];
}

const NOTHING: ImportState = {
  phase: 'idle',
  total: 0,
  dealt: 0,
  conversations: 0,
  messages: 0,
  refused: [],
  error: null,
  left: [],
};

/** Takes in a file, a portion at a time. What was taken in stays when it stops, and it can go on from there. */
export function useImport() {
  const client = useQueryClient();
  const [state, setState] = useState(NOTHING);

  const run = async (from: ImportState) => {
    let now: ImportState = { ...from, phase: 'running', error: null };
    setState(now);
    for (const portion of portionsOf(from.left)) {
      try {
        now = await taken(now, portion, setState);
      } catch (error) {
        now = { ...now, phase: 'failed', error: sentenceOf(error) };
        break;
      }
    }
    if (now.phase === 'running') now = { ...now, phase: 'done' };
    setState(now);
    void client.invalidateQueries();
  };

  const start = async (file: File) => {
    try {
      const left = conversationsIn(await file.text());
      await run({ ...NOTHING, total: left.length, left });
    } catch (error) {
      const text = error instanceof Error ? error.message : 'The file could not be read.';
      setState({ ...NOTHING, phase: 'failed', error: text });
    }
  };
  return { state, start, goOn: () => run(state) };
}

/**
 * The state after a portion. The server takes all of it or nothing, so one that is refused is halved until it is known
 * which conversation is at fault. Throws when it is not the file's fault.
 */
async function taken(
  before: ImportState,
  portion: Exported[],
  show: (state: ImportState) => void,
): Promise<ImportState> {
  const step = { ...before, dealt: before.dealt + portion.length, left: before.left.slice(portion.length) };
  let now: ImportState;
  try {
    const result = await send(portion);
    now = {
      ...step,
      conversations: before.conversations + result.conversations.length,
      messages: before.messages + result.messages,
    };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (portion.length > 1) {
      const middle = Math.ceil(portion.length / 2);
      return taken(await taken(before, portion.slice(0, middle), show), portion.slice(middle), show);
    }
    const title = portion[0]?.title || 'New chat';
    now = { ...step, refused: [...before.refused, { title, reason: sentenceOf(error) }] };
  }
  show(now);
  return now;
}

async function send(conversations: Exported[]) {
  const body = { format: 'codellama-conversations', version: 1, conversations } as Export;
  return (await importConversations({ body, throwOnError: true })).data;
}

function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && [400, 409, 413, 422].includes(error.status);
}
