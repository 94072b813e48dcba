import type { Link } from '@/api/generated';
import { CopyField } from '@/components/ui/copy-field';
import { Time } from '@/components/ui/time';

/** A link for somebody else to open, and what to do with it. */
export function OneTimeLink({ link, who }: { link: Link; who: string }) {
  return (
    <>
      <CopyField label="Link" value={link.url} />
      <p className="text-muted-foreground text-sm">
        Send it to {who} yourself, by a way that only they read: no e-mail goes out from here. It works once,
        until <Time at={link.expires_at} />.
      </p>
    </>
  );
}
