/** A prompt and its cursor. */
export function Logo({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" className={className}>
      <rect width="32" height="32" rx="8" className="fill-[#0d6e66]" />
      <path
        d="M9 10.5 14.5 16 9 21.5"
        fill="none"
        stroke="#fff"
        strokeWidth="2.8"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      <rect x="17" y="19.6" width="7" height="2.8" rx="1.4" fill="#8ff0df" />
    </svg>
  );
}
