import { useMutation, useQueryClient } from '@tanstack/react-query';
import { deleteFeedback, type Feedback, type FeedbackIn, type Message, putFeedback } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';
import { expectMessage, storeMessages } from './queries';

const NONE: Feedback = { rating: null, tags: [], comment: null, correction: null };

/** Changes parts of one's feedback on an answer; what is not named stays. With nothing left, it is removed. */
export function useFeedback(message: Message) {
  const client = useQueryClient();
  const changed = (change: FeedbackIn): FeedbackIn => ({ ...(message.feedback ?? NONE), ...change });
  const withFeedback = (feedback: Feedback | null): Message => ({ ...message, feedback });

  return useMutation({
    mutationFn: (change: FeedbackIn) => save(message.id, changed(change)),
    onMutate: (change) => expectMessage(client, withFeedback({ ...NONE, ...changed(change) } as Feedback)),
    onSuccess: (feedback) => storeMessages(client, message.conversation_id, [withFeedback(feedback)]),
    onError: (error) => {
      storeMessages(client, message.conversation_id, [message]);
      toast(`Your feedback was not saved. ${sentenceOf(error)}`);
    },
  });
}

async function save(messageId: string, feedback: FeedbackIn): Promise<Feedback | null> {
  const path = { message_id: messageId };
  const empty = !feedback.rating && !feedback.correction && !feedback.comment && !feedback.tags?.length;
  if (empty) {
    await deleteFeedback({ path, throwOnError: true });
    return null;
  }
  const { data } = await putFeedback({ path, body: feedback, throwOnError: true });
  return data;
}
