/** Stands where rows will be, so that nothing jumps when they come. */
export function Skeleton({ rows = 3 }: { rows?: number }) {
  return (
    <div role="status" className="divide-y overflow-hidden rounded-xl border bg-card">
      <span className="sr-only">Loading…</span>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are all alike
        <div key={row} className="flex animate-pulse flex-col gap-2 px-4 py-3.5">
          <div className="h-3.5 w-2/5 rounded-full bg-secondary" />
          <div className="h-3 w-3/5 rounded-full bg-secondary" />
        </div>
      ))}
    </div>
  );
}
