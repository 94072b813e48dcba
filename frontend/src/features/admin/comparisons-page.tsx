import { useQuery } from '@tanstack/react-query';
import type { Standing } from '@/api/generated';
import { listStandingsOptions } from '@/api/generated/@tanstack/react-query.gen';
import { sentenceOf } from '@/api/problem';
import { Notice } from '@/components/ui/notice';
import { Empty, Page } from '@/components/ui/page';
import { Skeleton } from '@/components/ui/skeleton';
import { useTitle } from '@/lib/use-title';

/** How models do against each other in blind votes, for admins. */
export function ComparisonsPage() {
  useTitle('Comparisons');
  const { data, error, isPending } = useQuery(listStandingsOptions());
  return (
    <Page
      title="Comparisons"
      lead="Blind votes between two models' answers to the same question. Which was which is told only after the vote."
    >
      <div className="flex flex-col gap-4">
        {isPending && <Skeleton />}
        {error && <Notice tone="error">{sentenceOf(error)}</Notice>}
        {data?.items.length === 0 && (
          <Empty>
            Nobody has voted yet. While a challenger is served, “Compare two models” stands beside Send in
            every chat.
          </Empty>
        )}
        {data && data.items.length > 0 && (
          <>
            <StandingsTable standings={data.items} />
            <p className="text-muted-foreground text-xs">
              The win rate counts votes that preferred one answer; ties and “both are bad” are listed beside
              it. The interval is Wilson's, at 95 %: while it contains 50 %, the votes do not tell which model
              is better.
            </p>
          </>
        )}
      </div>
    </Page>
  );
}

function StandingsTable({ standings }: { standings: Standing[] }) {
  return (
    <div className="overflow-x-auto rounded-xl border bg-card">
      <table className="w-full text-sm tabular-nums">
        <thead className="text-left text-muted-foreground text-xs">
          <tr>
            {['Models', 'Wins', 'Losses', 'Ties', 'Both bad', 'Win rate (95 %)'].map((name) => (
              <th key={name} scope="col" className="px-4 py-2 font-medium">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y">
          {standings.map((standing) => (
            <tr key={`${standing.model} ${standing.opponent}`}>
              <th scope="row" className="min-w-40 px-4 py-2.5 text-left font-normal">
                <span className="font-medium">{standing.model}</span>
                <span className="text-muted-foreground"> against {standing.opponent}</span>
              </th>
              <td className="px-4 py-2.5">{standing.wins}</td>
              <td className="px-4 py-2.5">{standing.losses}</td>
              <td className="px-4 py-2.5">{standing.ties}</td>
              <td className="px-4 py-2.5">{standing.both_bad}</td>
              <td className="min-w-44 px-4 py-2.5">
                <Rate standing={standing} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The rate in words, and drawn with its interval against even odds. */
function Rate({ standing: { rate, low, high } }: { standing: Standing }) {
  if (rate === null || low === null || high === null) return <span>No vote for one side yet</span>;
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  const at = (share: number) => `${share * 100}%`;
  return (
    <>
      <span>
        {percent(rate)} ({percent(low)} to {percent(high)})
      </span>
      <span aria-hidden className="relative mt-1.5 block h-1.5 w-36 rounded-full bg-secondary">
        <span
          className="absolute inset-y-0 rounded-full bg-ring/50"
          style={{ left: at(low), right: at(1 - high) }}
        />
        <span className="absolute -inset-y-0.5 left-1/2 w-px bg-muted-foreground" />
        <span
          className="absolute -inset-y-0.5 w-1 -translate-x-1/2 rounded-full bg-primary"
          style={{ left: at(rate) }}
        />
      </span>
    </>
  );
}
