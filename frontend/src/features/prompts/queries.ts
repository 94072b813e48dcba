import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { deletePrompt, type SavedPrompt, type SavePrompt, savePrompt, updatePrompt } from '@/api/generated';
import { listPromptsOptions, listPromptsQueryKey } from '@/api/generated/@tanstack/react-query.gen';
import { sentenceOf } from '@/api/problem';
import { toast } from '@/components/ui/toaster';

export function usePrompts(enabled = true) {
  return useQuery({ ...listPromptsOptions(), enabled });
}

/** Keeps a new prompt, or changes the one with this id. */
export function useSavePrompt(id: string | null) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: SavePrompt) => {
      const { data } = id
        ? await updatePrompt({ path: { prompt_id: id }, body, throwOnError: true })
        : await savePrompt({ body, throwOnError: true });
      return data;
    },
    onSettled: () => client.invalidateQueries({ queryKey: listPromptsQueryKey() }),
  });
}

/** Forgets a prompt, and knows it for a while longer, in case that was a slip of the hand. */
export function useDeletePrompt() {
  const client = useQueryClient();
  const again = useSavePrompt(null);
  return useMutation({
    mutationFn: ({ id }: SavedPrompt) => deletePrompt({ path: { prompt_id: id }, throwOnError: true }),
    onSuccess: (_, { title, content }) =>
      toast(`“${title}” was deleted.`, {
        name: 'Undo',
        run: () =>
          again.mutate(
            { title, content },
            { onError: (error) => toast(`“${title}” was not brought back. ${sentenceOf(error)}`) },
          ),
      }),
    onError: (error, { title }) => toast(`“${title}” was not deleted. ${sentenceOf(error)}`),
    onSettled: () => client.invalidateQueries({ queryKey: listPromptsQueryKey() }),
  });
}

/** Prompts with all of these words, in their titles or in what they say. */
export function matching(prompts: readonly SavedPrompt[], words: string): SavedPrompt[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return prompts.filter(({ title, content }) => {
    const text = `${title}\n${content}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}
