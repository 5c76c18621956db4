package live

import "html/template"

// page is the page without what it shows, which its script puts there.
var page = template.Must(template.ParseFS(assets, "assets/index.html"))
