import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { STORAGE_KEYS } from '@/config/app';
import { Markdown } from './markdown';
import Renderer from './renderer';

function show(text: string, streaming = false) {
  return render(<Renderer text={text} streaming={streaming} />).container;
}

describe('an answer', () => {
  it('never becomes elements of its HTML', () => {
    const page = show(
      '<script>window.harm = 1</script>\n\n<img src=x onerror="window.harm = 1">\n\n<iframe src="//x"></iframe>',
    );
    expect(page.querySelector('script, img, iframe')).toBeNull();
    expect(page).toHaveTextContent('<script>window.harm = 1</script>');
    expect('harm' in window).toBe(false);
  });

  it('has no link that runs code', () => {
    const page = show('[a](javascript:alert(1)) [b](data:text/html,x) [c](https://example.org)');
    const targets = Array.from(page.querySelectorAll('a'), (link) => link.getAttribute('href') ?? '');
    expect(targets.filter((href) => /^(javascript|data):/i.test(href))).toEqual([]);
    expect(targets).toContain('https://example.org/');
  });

  it('fetches no pictures', () => {
    const page = show('![a cat](https://example.org/cat.png)');
    expect(page.querySelector('img')).toBeNull();
    expect(page).toHaveTextContent('a cat');
  });

  it('shows HTML in code as it is written', async () => {
    show('```html\n<b onclick="x()">hi</b>\n```');
    expect(await screen.findByText(/onclick/)).toBeInTheDocument();
  });

  it('shows a code block that is not closed yet as code', () => {
    const page = show('Here:\n\n```python\ndef f():\n    return 1', true);
    expect(page.querySelector('[data-streamdown="code-block"]')).toHaveTextContent('return 1');
    expect(page).not.toHaveTextContent('```');
  });

  it('lets code that scrolls be reached by keyboard', () => {
    const page = show('```python\nx = 1\n```');
    expect(page.querySelector('[data-streamdown="code-block-body"]')).toHaveAttribute('tabindex', '0');
  });

  it('wraps long lines of all code once the reader wants it, and remembers', async () => {
    const page = show('```python\nx = 1\n```\n\n```python\ny = 2\n```');
    const [first] = screen.getAllByRole('button', { name: 'Wrap long lines' });
    expect(page.querySelector('[data-wrap]')).toBeNull();
    await userEvent.click(first as HTMLElement);
    expect(page.querySelectorAll('[data-wrap]')).toHaveLength(2);
    expect(first).toHaveAttribute('aria-pressed', 'true');
    expect(localStorage.getItem(STORAGE_KEYS.wrap)).toBe('on');
    await userEvent.click(first as HTMLElement);
    expect(page.querySelector('[data-wrap]')).toBeNull();
  });

  it('shows what cannot be formatted in time as it was written', () => {
    render(<Markdown text={'['.repeat(20_000)} />);
    expect(screen.getByText(/too long or too deeply nested/)).toBeVisible();
    expect(screen.getByText('['.repeat(20_000))).toBeVisible();
  });
});
