import { formatDateTime, formatMoment } from '@/lib/format';

/** A time as people say it; to the second, with its zone, on hover. */
export function Time({ at }: { at: string }) {
  return (
    <time dateTime={at} title={formatMoment(at)}>
      {formatDateTime(at)}
    </time>
  );
}
