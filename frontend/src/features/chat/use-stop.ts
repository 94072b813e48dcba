import { useMutation } from '@tanstack/react-query';
import { type Message, stopGeneration } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';

/** Stops what is being written at the server; each stream then ends with what there is. */
export function useStop(answers: Message[]) {
  const ids = answers.map(({ id }) => id);
  const mutation = useMutation({
    mutationFn: (stopped: string[]) =>
      Promise.all(stopped.map((id) => stopGeneration({ path: { message_id: id }, throwOnError: true }))),
    onError: (error) => toast(`The answer goes on: it could not be stopped. ${sentenceOf(error)}`),
  });
  const stopping =
    mutation.isPending || (mutation.isSuccess && ids.every((id) => mutation.variables.includes(id)));
  return { stop: ids.length > 0 ? () => mutation.mutate(ids) : null, stopping };
}
