import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { loadEarlier, loadLater } from './queries';

export interface Loading {
  pending: boolean;
  error: unknown;
  load: () => void;
}

/** Loads what a branch has before or after the messages that are there. */
export function usePages(conversationId: string): { earlier: Loading; later: Loading } {
  return { earlier: useLoading(conversationId, loadEarlier), later: useLoading(conversationId, loadLater) };
}

function useLoading(conversationId: string, from: typeof loadEarlier): Loading {
  const client = useQueryClient();
  const { mutate, isPending, error } = useMutation({ mutationFn: () => from(client, conversationId) });
  const load = useCallback(() => {
    if (!isPending) mutate();
  }, [isPending, mutate]);
  return { pending: isPending, error, load };
}
