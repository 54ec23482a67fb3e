"use strict";
// The page begins: every part is set up before the first tab is shown.
startHeader();
startWrite();
startRead();
startInside();
startAbout();
startTabs();
