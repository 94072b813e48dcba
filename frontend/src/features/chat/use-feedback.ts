import { useMutation, useQueryClient } from '@tanstack/react-query';
import { deleteFeedback, type Feedback, type FeedbackIn, type Message, putFeedback } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';
import { storeMessages } from './queries';

const NONE: Feedback = { rating: null, tags: [], comment: null, correction: null };

/** Changes parts of one's feedback on an answer; what is not named stays. With nothing left, it is removed. */
export function useFeedback(message: Message) {
  const client = useQueryClient();
  const store = (feedback: Feedback | null) =>
    storeMessages(client, message.conversation_id, [{ ...message, feedback }]);

  return useMutation({
    mutationFn: (change: FeedbackIn) => save(message.id, { ...(message.feedback ?? NONE), ...change }),
    onMutate: (change) => store({ ...(message.feedback ?? NONE), ...change } as Feedback),
    onSuccess: store,
    onError: (error) => {
      store(message.feedback);
      toast(`Your feedback was not saved. ${sentenceOf(error)}`);
    },
  });
}

async function save(messageId: string, feedback: Feedback): Promise<Feedback | null> {
  const path = { message_id: messageId };
  const empty =
    feedback.rating === null && !feedback.correction && !feedback.comment && feedback.tags.length === 0;
  if (empty) {
    await deleteFeedback({ path, throwOnError: true });
    return null;
  }
  const { data } = await putFeedback({ path, body: feedback, throwOnError: true });
  return data;
}
