import { Button } from '@/components/ui/button';
import type { ConversationPages } from './queries';

/** Fetches the next page of a list in the sidebar. */
export function Older({ list }: { list: ConversationPages }) {
  if (!list.hasNextPage) return null;
  return (
    <Button
      variant="ghost"
      size="sm"
      className="mt-2 w-full"
      disabled={list.isFetchingNextPage}
      onClick={() => void list.fetchNextPage()}
    >
      {list.isFetchingNextPage ? 'Loading…' : 'Show older'}
    </Button>
  );
}
