"""Modules that a student's Python may well have, and the sandbox's hasn't: a program that needs one can't be judged.

In: a module's name. Out: whether it is one of them. A module that isn't known here is taken for one that nobody has, as
a misspelt name is.
"""

from __future__ import annotations

ABSENT = frozenset(
    """tkinter turtle turtledemo idlelib curses readline dbm ssl msvcrt winsound winreg fcntl termios resource grp pwd
    crypt multiprocessing lib2to3 ensurepip venv distutils imp nis syslog numpy pandas matplotlib scipy sympy
    sklearn seaborn statsmodels networkx plotly bokeh altair PIL cv2 skimage imageio requests bs4 lxml html5lib
    selenium flask django fastapi aiohttp httpx jinja2 werkzeug sqlalchemy pymysql mysql psycopg2 pymongo redis
    tensorflow torch keras transformers nltk spacy gensim wordcloud pygame pgzero pgzrun arcade pyglet kivy
    easygui guizero wx PyQt5 PyQt6 PySide2 PySide6 pyautogui pynput keyboard mouse playsound simpleaudio pyttsx3
    speech_recognition serial RPi gpiozero microbit machine sense_hat picamera cs50 colorama termcolor tabulate
    prettytable rich tqdm click typer pydantic attr pytest hypothesis nose yaml toml dateutil pytz openpyxl xlrd
    xlwt xlsxwriter docx pptx PyPDF2 pypdf fpdf reportlab emoji pyperclip art pyfiglet cowsay folium geopy
    shapely pyproj geopandas cryptography bcrypt jwt discord telegram tweepy openai IPython ipywidgets ipyturtle
    ColabTurtle google graphics stddraw stdio gturtle lolviz typeguard unidecode regex psutil win32api pywin32
    simpleguitk simplegui""".split()  # noqa: SIM905
)


LOOPS = "pyodide_js"
"""What Pyodide's event loop asks for: a program that needs `asyncio` to run can't be judged either."""


def is_absent(module: str) -> bool:
    """Whether a module is known to be missing here, not in itself wrong to import."""
    return module == LOOPS or module.partition(".")[0] in ABSENT
