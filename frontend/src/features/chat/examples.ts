/** Prompts for an empty page: things that even the small demo model was trained to answer. */
export interface Example {
  title: string;
  prompt: string;
}

export const EXAMPLES: readonly Example[] = [
  {
    title: 'Check for primes',
    prompt: 'Write a Python function is_prime(n) that returns True if n is a prime number.',
  },
  { title: 'Reverse a string', prompt: 'Write a Python function that reverses a string.' },
  {
    title: 'Read a CSV file',
    prompt: 'Write a Python function that reads a CSV file and returns its rows as dictionaries.',
  },
  {
    title: 'Binary search',
    prompt:
      'Write a Python function binary_search(items, target) that returns the index of target in a sorted list, or -1.',
  },
  {
    title: 'Write a unit test',
    prompt: 'Write a unit test for a function add(a, b) with the unittest module.',
  },
  {
    title: 'Time a block of code',
    prompt: 'Write a Python context manager that measures how long a block of code takes.',
  },
];
