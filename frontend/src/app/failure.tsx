import { type ErrorComponentProps, Link, useRouter } from '@tanstack/react-router';
import { sentenceOf } from '@/api/problem';
import { Button, buttonClass } from '@/components/ui/button';

/** Stands in for a page that failed. */
export function Failure({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const again = () => {
    reset();
    void router.invalidate();
  };
  return (
    <Message title="This page failed" text={sentenceOf(error)}>
      <Button variant="primary" onClick={again}>
        Try again
      </Button>
      <Button onClick={() => window.location.reload()}>Reload</Button>
    </Message>
  );
}

export function NotFound() {
  return (
    <Message title="There is no such page" text="The address may be mistyped, or the page may be gone.">
      <Link to="/" className={buttonClass({ variant: 'primary' })}>
        Start a new chat
      </Link>
    </Message>
  );
}

function Message({ title, text, children }: { title: string; text: string; children: React.ReactNode }) {
  return (
    <div role="alert" className="flex flex-1 flex-col items-center justify-center gap-2 p-6 text-center">
      <h1 className="font-semibold text-lg">{title}</h1>
      <p className="max-w-md text-muted-foreground text-sm">{text}</p>
      <div className="mt-3 flex gap-2">{children}</div>
    </div>
  );
}
