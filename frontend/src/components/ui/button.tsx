import type { ComponentProps } from 'react';
import { cn } from '@/lib/cn';

const VARIANTS = {
  primary: 'bg-primary text-primary-foreground hover:bg-primary-hover',
  secondary: 'border border-input bg-card text-foreground hover:bg-muted',
  ghost: 'text-muted-foreground hover:bg-secondary hover:text-foreground',
  danger: 'bg-destructive text-destructive-foreground hover:opacity-90',
} as const;

const SIZES = {
  sm: 'h-8 gap-1.5 rounded-lg px-2.5 text-xs',
  md: 'h-9 gap-2 rounded-lg px-3.5 text-sm',
  icon: 'size-8 rounded-lg',
  'icon-lg': 'size-9 rounded-xl',
} as const;

interface Look {
  variant?: keyof typeof VARIANTS;
  size?: keyof typeof SIZES;
}

export function buttonClass({ variant = 'secondary', size = 'md' }: Look = {}): string {
  return cn(
    'inline-flex shrink-0 select-none items-center justify-center whitespace-nowrap font-medium transition-colors',
    'disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0',
    VARIANTS[variant],
    SIZES[size],
  );
}

export function Button({ variant, size, className, ...props }: ComponentProps<'button'> & Look) {
  return <button type="button" {...props} className={cn(buttonClass({ variant, size }), className)} />;
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'aria-label'> {
  label: string;
  variant?: keyof typeof VARIANTS;
  size?: 'icon' | 'icon-lg';
}

/** A button that shows only a picture; its label is read out and shown on hover. */
export function IconButton({ label, variant = 'ghost', size = 'icon', ...props }: IconButtonProps) {
  return <Button variant={variant} size={size} aria-label={label} title={label} {...props} />;
}
