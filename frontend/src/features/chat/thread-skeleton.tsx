const TURNS = [
  ['w-2/5', 'w-full', 'w-11/12', 'w-3/5'],
  ['w-3/5', 'w-full', 'w-4/5'],
] as const;

/** Stands where questions and answers will be. */
export function ThreadSkeleton() {
  return (
    <div
      role="status"
      className="mx-auto flex w-full max-w-[48rem] flex-1 flex-col justify-end px-4 pb-10 sm:px-6"
    >
      <span className="sr-only">Opening the conversation…</span>
      <div className="appear-late flex flex-col gap-7">
        {TURNS.map(([question, ...lines]) => (
          <div key={question} className="flex animate-pulse flex-col gap-7">
            <div className={`h-11 self-end rounded-2xl bg-secondary ${question}`} />
            <div className="flex flex-col gap-3">
              {lines.map((width) => (
                <div key={width} className={`h-3.5 rounded-full bg-secondary ${width}`} />
              ))}
            </div>
          </div>
        ))}
      </div>
    </div>
  );
}
