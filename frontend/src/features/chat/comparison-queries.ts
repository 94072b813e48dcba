import { useMutation, useQueryClient } from '@tanstack/react-query';
import {
  type Comparison,
  endComparison,
  type Vote,
  voteInComparison,
  writeComparisonAgain,
} from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';
import { refreshConversation, showBranch, storeComparison, storeMessages } from './queries';

/** What one can do about a comparison that is open, in the conversation that is shown. */
export function useComparisonActs(comparison: Comparison, conversationId: string) {
  const client = useQueryClient();
  const path = { comparison_id: comparison.id };
  const fail = (what: string) => (error: unknown) => {
    toast(`${what} ${sentenceOf(error)}`);
    void refreshConversation(client, conversationId);
  };
  const close = async (closed: Comparison) => {
    storeComparison(client, conversationId, closed);
    await showBranch(client, conversationId, goesOn(closed));
  };

  const voting = useMutation({
    mutationFn: (vote: Vote) => voteInComparison({ path, body: { vote }, throwOnError: true }),
    onSuccess: ({ data }) => close(data),
    onError: fail('Your vote was not taken.'),
  });
  const ending = useMutation({
    mutationFn: () => endComparison({ path, throwOnError: true }),
    onSuccess: ({ data }) => close(data),
    onError: fail('The comparison was not ended.'),
  });
  const repeating = useMutation({
    mutationFn: () => writeComparisonAgain({ path, throwOnError: true }),
    onSuccess: ({ data }) => storeMessages(client, conversationId, [data.left, data.right]),
    onError: fail('Nothing was started.'),
  });
  return {
    vote: voting.mutate,
    end: () => ending.mutate(),
    again: () => repeating.mutate(),
    pending: voting.isPending || ending.isPending || repeating.isPending,
  };
}

/** The answer that the conversation goes on after. */
function goesOn({ vote, left_id: left, right_id: right }: Comparison): string {
  return vote === 'left' ? left : right;
}
