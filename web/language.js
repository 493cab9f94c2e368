// Runs before the first paint, so that nobody sees the page in one language and then in another.
// The same choice as on the server: the query, else the language chosen earlier, else the browser's.
(() => {
  const languages = ["en", "ru"];
  const wishes = [
    new URLSearchParams(location.search).get("language"),
    (document.cookie.match(/(?:^|; )language=(\w+)/) || [])[1],
    ...navigator.languages.map((language) => language.slice(0, 2).toLowerCase()),
  ];
  const root = document.documentElement;
  root.lang = wishes.find((wish) => languages.includes(wish)) || languages[0];
  root.classList.add("script");
  // Asked for now, so that the page's script finds its texts here.
  const texts = { rel: "preload", as: "fetch", crossOrigin: "anonymous", href: `/texts/${root.lang}.json` };
  document.head.append(Object.assign(document.createElement("link"), texts));
  root.classList.toggle("again", new URLSearchParams(location.search).has("again"));
  if (root.lang !== "en") root.classList.add("translating");
})();
