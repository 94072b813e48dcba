import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { searchMessagesInfiniteOptions } from '@/api/generated/@tanstack/react-query.gen';
import { SEARCH_DELAY_MS } from '@/config/app';
import { useDebounced } from '@/lib/use-debounced';

/** One's own messages with these words, newest first, a page at a time; asked for once the words have settled. */
export function useSearch(words: string) {
  const q = useDebounced(words.trim(), SEARCH_DELAY_MS);
  return useInfiniteQuery({
    ...searchMessagesInfiniteOptions({ query: { q } }),
    initialPageParam: { query: { q } },
    getNextPageParam: ({ next_before: before }) => (before ? { query: { q, before } } : undefined),
    enabled: q !== '',
    placeholderData: q === '' ? undefined : keepPreviousData,
  });
}
