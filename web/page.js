// What every page does: tell its style that scripts run, and keep the chosen language for the next pages.

document.documentElement.classList.add("script");

for (const link of document.querySelectorAll("[data-language]")) {
  const there = new URL(location.href);
  there.searchParams.set("language", link.dataset.language);
  link.href = there.href; // the same page with all else in its address
  link.addEventListener("click", () => {
    document.cookie = `language=${link.dataset.language}; path=/; max-age=31536000; samesite=lax`;
  });
}
