import { useMutation } from '@tanstack/react-query';
import { type Message, stopGeneration } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';

/** Stops an answer at the server; its stream then ends with what was written. */
export function useStop(answer: Message | null) {
  const mutation = useMutation({
    mutationFn: (id: string) => stopGeneration({ path: { message_id: id }, throwOnError: true }),
    onError: (error) => toast(`The answer goes on: it could not be stopped. ${sentenceOf(error)}`),
  });
  const stopping = mutation.isPending || (mutation.isSuccess && mutation.variables === answer?.id);
  return { stop: answer ? () => mutation.mutate(answer.id) : null, stopping };
}
