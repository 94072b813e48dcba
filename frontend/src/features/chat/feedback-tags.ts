import type { Feedback, FeedbackIn } from '@/api/generated';
import { humanize } from '@/lib/format';

export type Rating = 1 | -1;

/** What can be said of an answer beside good or bad: how it is stored, and in words. */
const TAGS: Record<Rating, readonly (readonly [string, string])[]> = {
  1: [
    ['correct', 'Right'],
    ['runs', 'Runs as it is'],
    ['clear', 'Well explained'],
    ['concise', 'To the point'],
    ['our_style', 'Fits our code'],
  ],
  [-1]: [
    ['wrong', 'Wrong'],
    ['does_not_run', 'Does not run'],
    ['outdated', 'Outdated'],
    ['incomplete', 'Incomplete'],
    ['ignores_instructions', 'Ignores my instructions'],
    ['too_long', 'Too long'],
    ['unsafe', 'Unsafe'],
    ['other', 'Something else'],
  ],
};

/** The tags that go with a rating, and those that were given by other means, with their words. */
export function tagsFor(rating: Rating, given: readonly string[] = []): (readonly [string, string])[] {
  const known = TAGS[rating];
  const others = given.filter((tag) => !known.some(([name]) => name === tag));
  return [...known, ...others.map((tag) => [tag, humanize(tag)] as const)];
}

/** What changes with a rating: what was said of the opposite one no longer holds, but a comment stays. */
export function rated(feedback: Feedback | null, rating: Rating): FeedbackIn {
  const opposite = TAGS[rating === 1 ? -1 : 1];
  const tags = (feedback?.tags ?? []).filter((tag) => !opposite.some(([name]) => name === tag));
  return { rating, tags };
}

/** What was said of an answer, in a few words; null where nothing was. */
export function summaryOf({ rating, tags, comment }: Feedback): string | null {
  const words = tagsFor(rating ?? -1, tags)
    .filter(([name]) => tags.includes(name))
    .map(([, word]) => word);
  const [first, ...more] = words;
  if (!first) return comment ? 'Commented' : null;
  return more.length > 0 ? `${first} +${more.length}` : first;
}
