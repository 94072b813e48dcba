import { useRef, useState } from 'react';
import { type UploadedFile, uploadDocuments } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { added, batchesOf, type Candidate, type Counts, licensesAbove, textOf } from './intake';
import { useRefreshDocuments } from './queries';

export interface UploadState {
  phase: 'idle' | 'sending' | 'failed' | 'done';
  /** Files that the server has dealt with. */
  sent: number;
  counts: Counts;
  error: string | null;
}

export interface Target {
  repo: string;
  license: string | null;
}

const NOTHING: UploadState = { phase: 'idle', sent: 0, counts: {}, error: null };

/** Sends files a portion at a time; where one fails, it can go on from there: what was sent stays. */
export function useUpload(files: Candidate[]) {
  const [state, setState] = useState(NOTHING);
  const stopped = useRef(false);
  const refresh = useRefreshDocuments();

  const start = async (target: Target) => {
    stopped.current = false;
    let now: UploadState = { ...state, phase: 'sending', error: null };
    setState(now);
    for (const batch of batchesOf(files.slice(now.sent))) {
      if (stopped.current) break;
      try {
        const counts = await send(batch, licensesAbove(batch, files), target);
        now = { ...now, sent: now.sent + batch.length, counts: added(now.counts, counts) };
        setState(now);
      } catch (error) {
        setState({ ...now, phase: 'failed', error: sentenceOf(error) });
        void refresh();
        return;
      }
    }
    setState({ ...now, phase: 'done' });
    void refresh();
  };
  const stop = () => {
    stopped.current = true;
  };
  return { state, start, stop };
}

async function send(batch: Candidate[], licenses: Candidate[], { repo, license }: Target): Promise<Counts> {
  const files = await read(batch);
  const unread = batch.length - files.length;
  const missed: Counts = unread > 0 ? { not_text: unread } : {};
  if (files.length === 0) return missed;
  const body = { repo, license, files, license_files: await read(licenses) };
  const { data } = await uploadDocuments({ body, throwOnError: true });
  return added(data.counts, missed);
}

/** Files with their texts, without those that have none. */
async function read(candidates: Candidate[]): Promise<UploadedFile[]> {
  const files: UploadedFile[] = [];
  for (const { path, file } of candidates) {
    const content = await textOf(file);
    if (content !== null) files.push({ path, content });
  }
  return files;
}
