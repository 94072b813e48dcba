import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import {
  type ChatSettings,
  type Estimate,
  estimateNewQuestion,
  estimateQuestion,
  type NewAttachment,
} from '@/api/generated';
import { ESTIMATE_DELAY_MS } from '@/config/app';
import { useDebounced } from '@/lib/use-debounced';
import type { Spot } from './use-send';

/** Where a question would go. */
export interface Place {
  conversationId: string | null;
  spot: Spot;
  /** Changes when what is above the question does. */
  above: string;
  /** Of a new conversation. */
  settings?: ChatSettings;
}

/** What a question would cost, a moment after its last change; null while that is not known, and for an empty one. */
export function useEstimate(place: Place, content: string, files: readonly NewAttachment[]): Estimate | null {
  const { conversationId, spot, above } = place;
  const asked = useDebounced(content, ESTIMATE_DELAY_MS);
  const wanted = content.trim() !== '' || files.length > 0;
  const text = useMemo(() => fingerprint(asked), [asked]);
  const names = useMemo(() => files.map((file) => fingerprint(file.name + file.content)).join(), [files]);
  const { data } = useQuery({
    queryKey: ['estimate', conversationId, above, spot.parentId, spot.besideId, text, names],
    queryFn: ({ signal }) => ask(place, asked, files, signal),
    enabled: wanted && asked === content,
    placeholderData: keepPreviousData,
    gcTime: 60_000,
    retry: false,
  });
  return wanted ? (data ?? null) : null;
}

async function ask(
  { conversationId, spot, settings }: Place,
  content: string,
  files: readonly NewAttachment[],
  signal: AbortSignal,
): Promise<Estimate> {
  const attachments = files.map(({ name, content }) => ({ name, content }));
  const options = { signal, throwOnError: true } as const;
  if (!conversationId) {
    const body = { content, attachments, settings };
    const { data } = await estimateNewQuestion({ body, ...options });
    return data;
  }
  const body = { content, attachments, parent_id: spot.parentId, beside_id: spot.besideId };
  const { data } = await estimateQuestion({ path: { conversation_id: conversationId }, body, ...options });
  return data;
}

/** Stands for a text in a query's key, where 100 kB would be in the way. */
function fingerprint(text: string): string {
  let hash = 0;
  for (let place = 0; place < text.length; place += 1) hash = (hash * 31 + text.charCodeAt(place)) | 0;
  return `${text.length}:${hash}`;
}
