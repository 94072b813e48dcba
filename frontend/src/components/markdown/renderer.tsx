import { createCodePlugin } from '@streamdown/code';
import { cloneElement, isValidElement, memo } from 'react';
import { defaultRehypePlugins, Streamdown, type StreamdownProps } from 'streamdown';
import { Wrappable } from './wrappable';

const THEMES: [string, string] = ['github-light-high-contrast', 'github-dark'];

/** Without rehype-raw, HTML in an answer is shown as the text that it is, and never becomes elements. */
const REHYPE = [defaultRehypePlugins.sanitize, defaultRehypePlugins.harden].filter(
  (plugin) => plugin !== undefined,
);

const code = createCodePlugin({ themes: THEMES as ['github-light-high-contrast', 'github-dark'] });

// Colours and grammar come with the renderer: a browser that goes offline before its first code could not get them any more.
code.highlight({ code: '', language: 'python', themes: code.getThemes() });

const PLUGINS: StreamdownProps['plugins'] = { code };

/** What scrolls can be reached and scrolled by keyboard. */
const reachable = (label: string) => ({ tabIndex: 0, role: 'group', 'aria-label': label }) as const;

/** Pictures would be fetched from elsewhere, so their description stands in; links say where they lead. */
const COMPONENTS: StreamdownProps['components'] = {
  img: ({ alt, src }) => (
    <span className="text-muted-foreground">
      [picture: {alt || 'no description'}
      {typeof src === 'string' && ` (${src})`}]
    </span>
  ),
  pre: ({ children }) =>
    isValidElement<object>(children) ? (
      <Wrappable>
        {cloneElement(children, { 'data-block': 'true', ...reachable('Code') } as object)}
      </Wrappable>
    ) : (
      children
    ),
  table: ({ children }) => (
    <div {...reachable('Table')} className="overflow-x-auto rounded-xl border">
      <table className="w-full text-sm">{children}</table>
    </div>
  ),
  a: ({ href, children }) => (
    <a href={href} title={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  ),
};

const CONTROLS: StreamdownProps['controls'] = { code: { copy: true, download: true }, mermaid: false };

interface MarkdownProps {
  text: string;
  /** More text is on its way: a half-written construct is shown as what it will be. */
  streaming: boolean;
}

/** Markdown with highlighted code; only the block that grows is rendered anew. */
const Renderer = memo(function Renderer({ text, streaming }: MarkdownProps) {
  return (
    <Streamdown
      className="prose-answer"
      mode={streaming ? 'streaming' : 'static'}
      parseIncompleteMarkdown={streaming}
      isAnimating={false}
      shikiTheme={THEMES}
      plugins={PLUGINS}
      rehypePlugins={REHYPE}
      components={COMPONENTS}
      controls={CONTROLS}
      lineNumbers={false}
      codeBlockMaxHeight={0}
      translations={{ copyCode: 'Copy code', downloadFile: 'Download code' }}
    >
      {text}
    </Streamdown>
  );
});

export default Renderer;
