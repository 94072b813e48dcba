import { useState } from 'react';
import type { UsageDay } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Chart, type Series } from '@/components/charts/chart';
import { Notice } from '@/components/ui/notice';
import { Empty, Page } from '@/components/ui/page';
import { Select } from '@/components/ui/select';
import { Skeleton } from '@/components/ui/skeleton';
import { formatCount, formatSeconds } from '@/lib/format';
import { useTitle } from '@/lib/use-title';
import { useUsage } from './queries';

const RANGES = [
  { value: '7', label: 'Last 7 days' },
  { value: '30', label: 'Last 30 days' },
  { value: '90', label: 'Last 90 days' },
  { value: '366', label: 'Last year' },
];

/** How much the assistant is used, day by day. */
export function UsagePage() {
  useTitle('Usage');
  const [range, setRange] = useState('30');
  const { data, error, isPending } = useUsage(Number(range));
  const days = data?.days ?? [];
  const isQuiet = days.every((day) => day.chat_answers + day.api_calls === 0);
  return (
    <Page
      title="Usage"
      lead="Days are in UTC. API calls are counted for as long as their records are kept (API_RETENTION_DAYS)."
      actions={<Select label="Days" value={range} onChange={setRange} options={RANGES} />}
    >
      {error && <Notice tone="error">{sentenceOf(error)}</Notice>}
      {isPending && <Skeleton rows={8} />}
      {data && isQuiet && (
        <Empty>Nobody has asked anything in this time. Choose more days, or come back later.</Empty>
      )}
      {data && !isQuiet && <Charts days={days} />}
    </Page>
  );
}

function Charts({ days }: { days: UsageDay[] }) {
  const pick = (name: string, key: Exclude<keyof UsageDay, 'day'>, tone: Series['tone']): Series => ({
    name,
    tone,
    values: days.map((day) => day[key]),
  });
  const total = (key: 'chat_answers' | 'api_calls' | 'prompt_tokens' | 'completion_tokens') =>
    formatCount(days.reduce((sum, day) => sum + day[key], 0));
  const most = Math.max(...days.map(({ people }) => people));
  const shared = { xs: days.map(({ day }) => Date.parse(day)), xName: 'Day', formatX: formatDay };
  return (
    <div className="flex flex-col gap-4">
      <Chart
        {...shared}
        kind="bars"
        title="People who asked something"
        summary={`At most ${formatCount(most)} on one day.`}
        series={[pick('People', 'people', 'accent')]}
        format={formatCount}
      />
      <Chart
        {...shared}
        kind="bars"
        title="Answers"
        summary={`${total('chat_answers')} in chats and ${total('api_calls')} through the API in all.`}
        series={[pick('In chats', 'chat_answers', 'accent'), pick('API calls', 'api_calls', 'quiet')]}
        format={formatCount}
      />
      <Chart
        {...shared}
        kind="bars"
        title="Tokens"
        summary={`${total('completion_tokens')} written and ${total('prompt_tokens')} read in all.`}
        series={[pick('Written', 'completion_tokens', 'accent'), pick('Read', 'prompt_tokens', 'quiet')]}
        format={formatCompact}
      />
      <Chart
        {...shared}
        kind="lines"
        title="Time to the first token"
        summary="Half of all answers began within the median; 95 in 100 within the 95th percentile."
        series={[
          pick('Median', 'first_token_p50_s', 'accent'),
          pick('95th percentile', 'first_token_p95_s', 'quiet'),
        ]}
        format={formatSeconds}
      />
    </div>
  );
}

const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

function formatDay(time: number): string {
  return day.format(time);
}

function formatCompact(value: number): string {
  return compact.format(value);
}
