import type { SearchHit } from '@/api/generated';
import { formatDateTime } from '@/lib/format';
import { Highlighted } from './highlighted';

/** A message that was found, in its conversation. */
export function Hit({ hit }: { hit: SearchHit }) {
  return (
    <span className="min-w-0 flex-1">
      <span className="flex items-baseline gap-3">
        <span className="min-w-0 flex-1 truncate font-medium text-sm">
          <Highlighted text={hit.title || 'New chat'} ranges={hit.title ? hit.title_highlights : []} />
        </span>
        <time dateTime={hit.created_at} className="shrink-0 text-muted-foreground text-xs">
          {formatDateTime(hit.created_at)}
        </time>
      </span>
      <span className="line-clamp-2 text-muted-foreground text-xs [overflow-wrap:anywhere]">
        {hit.author === 'user' ? 'You: ' : 'Answer: '}
        <Highlighted text={hit.snippet} ranges={hit.highlights} />
      </span>
    </span>
  );
}
