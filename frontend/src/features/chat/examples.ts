/** Prompts for an empty page: things that even the small demo model was trained to answer. */
export interface Example {
  title: string;
  prompt: string;
}

export const EXAMPLES: readonly Example[] = [
  { title: 'Check for primes', prompt: 'Write a Python function that checks if a number is prime.' },
  { title: 'Reverse a string', prompt: 'Write a Python function that reverses a string.' },
  { title: 'Read a CSV file', prompt: 'Write a function that reads a CSV file.' },
  { title: 'Binary search', prompt: 'Implement binary search in Python.' },
  { title: 'Write a unit test', prompt: 'Write a unit test for a function add(a, b).' },
  {
    title: 'Time a block of code',
    prompt: 'Write a context manager that measures time.',
  },
];
