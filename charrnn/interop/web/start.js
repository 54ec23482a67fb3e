"use strict";
// The page begins: every part is set up before the first tab is shown.
startHeader();
if (description.tunes) startTunes();
startWrite();
startRead();
startInside();
startAbout();
startTabs();
